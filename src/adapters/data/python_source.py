"""Rows that a function of somebody's own gives: of a file under the root, or offered by a package."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from importlib import metadata
from pathlib import Path
from traceback import extract_tb
from typing import Any, Protocol

from ...domain.errors import CeselloError, DataError
from ...domain.source import SourceRow
from .root_modules import function_under

_GROUP = "cesello.sources"
_END = object()

Rows = Callable[..., object]


class RowFunction(Protocol):
    """A function that gives an iterable of mappings, named but not yet looked for."""

    @property
    def shown(self) -> str:
        """What a person calls it."""
        ...

    def load(self, source: str) -> Rows:
        """The function itself; runs somebody's code, which raises what it likes.

        Args:
            source: what errors call the source that asks.

        Raises:
            DataError: D001 when there is none.
        """
        ...


class FunctionUnderRoot:
    """``module:function``, the module being a file or a package under the root and nothing else."""

    def __init__(self, root: Path, function: str) -> None:
        self._root = root
        self.shown = function

    def load(self, source: str) -> Rows:
        module, _, name = self.shown.partition(":")
        return function_under(self._root, module, name, f'source "{source}"')


class OfferedFunction:
    """What an installed package offers under a name in the group ``cesello.sources``."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def shown(self) -> str:
        return f"entry point {self._name}"

    def load(self, source: str) -> Rows:
        offered = metadata.entry_points(group=_GROUP)
        if self._name not in offered.names:
            raise DataError(
                "D001",
                f'no installed package offers a source "{self._name}"',
                where=f'source "{source}"',
                got=", ".join(sorted(offered.names)) or "none",
                fix=f"install the package that has it in its entry points, in the group {_GROUP}",
            )
        found: Rows = offered[self._name].load()
        return found


class PythonSource:
    """A row for every mapping the function gives; it is looked for and called when rows are asked for.

    What it prints goes to the standard error: the standard output is the command's, and may be JSON.

    Args:
        arguments: what it is called with, by name.
    """

    def __init__(self, name: str, function: RowFunction, arguments: Mapping[str, Any]) -> None:
        self._name = name
        self._function = function
        self._arguments = dict(arguments)

    @property
    def name(self) -> str:
        return self._name

    @property
    def origin(self) -> str:
        return f"python {self._function.shown}"

    @property
    def identity(self) -> None:
        """Nobody knows what a function gives."""
        return None

    def rows(self) -> Iterator[SourceRow]:
        """What the function gives, checked; its errors are D003 with the row that it failed at."""
        for number, values in enumerate(self._given(), start=1):
            place = f"{self._function.shown} row {number}"
            if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
                raise DataError(
                    "D003",
                    "a row is not a mapping of column names",
                    where=f'source "{self._name}" {place}',
                    got=_described(values),
                    expected='a dict such as {"prompt": "...", "completion": "..."}',
                    fix="mend the function",
                )
            yield SourceRow(place, values)

    def _given(self) -> Iterator[object]:
        number = 0
        try:
            rows = self._iterator()
            while (values := _next(rows)) is not _END:
                number += 1
                yield values
        except CeselloError:
            raise
        except (Exception, SystemExit) as cause:
            where = f'source "{self._name}" {self._function.shown} row {number + 1}'
            raise self._broken("failed", where, cause) from cause

    def _iterator(self) -> Iterator[object]:
        with redirect_stdout(sys.stderr):
            given = self._loaded()(**self._arguments)
            if isinstance(given, Iterable) and not isinstance(given, (str, bytes, Mapping)):
                return iter(given)
        raise DataError(
            "D003",
            "a function gives no rows",
            where=f'source "{self._name}" {self._function.shown}',
            got=_described(given),
            expected="an iterable of mappings, for example a list of dicts",
            fix="let it return a list, or yield its rows",
        )

    def _loaded(self) -> Rows:
        where = f'source "{self._name}"'
        try:
            found = self._function.load(self._name)
        except CeselloError:
            raise
        except (Exception, SystemExit) as cause:
            raise self._broken("cannot be loaded", where, cause) from cause
        if not callable(found):
            what = f"{self._function.shown} is {_described(found)}, not a function"
            raise DataError("D003", what, where=where, fix="name a function that gives rows")
        return found

    def _broken(self, how: str, where: str, cause: BaseException) -> DataError:
        what = f"{self._function.shown} {how}: {type(cause).__name__}: {cause}{_line_of(cause)}"
        return DataError("D003", what, where=where, fix="mend the function, or its arguments in the recipe")


def _next(rows: Iterator[object]) -> object:
    # Row by row, since what whoever asks prints between two rows goes where they want it.
    with redirect_stdout(sys.stderr):
        return next(rows, _END)


def _line_of(cause: BaseException) -> str:
    """Where it was raised, unless that was here, as with arguments that the function does not take."""
    here = Path(__file__).parent
    frames = [frame for frame in extract_tb(cause.__traceback__) if not frame.filename.startswith("<")]
    if not frames or Path(frames[-1].filename).parent == here:
        return ""
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})"


def _described(value: object) -> str:
    return "nothing (None)" if value is None else type(value).__name__
