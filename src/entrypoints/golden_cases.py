"""Files of golden cases: YAML or JSON lines; those of the built-in rewards come with cesello.

A file is a list of cases (see ``domain.reward_cases``), or a map with ``cases`` and with ``reward``, the
options that the cases are written for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..domain.errors import InvalidRecipe, Place, UsageError
from ..domain.reward_cases import GoldenCase, case_of
from .settings.document import Keys, Where
from .settings.problems import printable
from .settings.yaml_limits import Mark
from .settings.yaml_text import read_yaml

SHIPPED = Path(__file__).with_name("reward_cases")
_MAX_BYTES = 1 << 20
_Placed = Iterator[tuple[Any, Where | None]]


@dataclass(frozen=True, slots=True)
class CasesFile:
    """What a file holds: at least one case, and the reward's options."""

    cases: tuple[GoldenCase, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


def shipped_cases(kind: str) -> Path | None:
    """The cases of a built-in reward, where there are any."""
    path = SHIPPED / f"{kind}.cases.yaml"
    return path if path.is_file() else None


def cases_beside(module: str, root: Path) -> Path:
    """Where the cases of a module of one's own are looked for."""
    return root.joinpath(*module.split(".")).with_suffix(".cases.yaml")


def read_cases(path: Path) -> CasesFile:
    """The cases of a file.

    Raises:
        UsageError: C071 and those of YAML, with file and line.
    """
    text = _text(path)
    if path.suffix == ".jsonl":
        return CasesFile(_cases(_json_lines(text, path), path))
    document = read_yaml(text, lambda mark: _place(path, mark))
    if document.problems:
        raise InvalidRecipe(document.problems)
    value, options = document.value, dict[str, Any]()
    keys: Keys = ()
    if isinstance(value, dict):
        options, value, keys = value.get("reward", {}), value.get("cases"), ("cases",)
        if set(document.value) - {"reward", "cases"} or not isinstance(options, dict):
            raise _wrong("a file of cases has the keys cases and reward, a map", _place(path))
    placed = ((one, document.value_place((*keys, at))) for at, one in enumerate(_listed(value, path)))
    return CasesFile(_cases(placed, path), options)


def _text(path: Path) -> str:
    fix = "write right and wrong answers there, or name a file with --cases"
    try:
        if path.exists() and not path.is_file():
            raise _wrong("golden cases are in a file", _place(path))
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise _wrong(
                "the file of cases is too large", _place(path), expected=f"at most {_MAX_BYTES} bytes"
            )
        return content.decode("utf-8-sig")
    except FileNotFoundError as cause:
        raise UsageError("C073", "there are no golden cases", where=_place(path), fix=fix) from cause
    except (OSError, ValueError) as cause:
        raise _wrong("the cases cannot be read", _place(path), got=printable(str(cause))) from cause


def _json_lines(text: str, path: Path) -> _Placed:
    for number, line in enumerate(text.split("\n"), start=1):
        place = Place(printable(str(path)), number)
        if line.strip():
            try:
                yield json.loads(line), place
            except (ValueError, RecursionError) as cause:
                raise _wrong(f"a line is not JSON: {cause}", place) from cause


def _listed(value: Any, path: Path) -> Sequence[Any]:
    if not isinstance(value, list):
        raise _wrong("golden cases are a list", _place(path), got=type(value).__name__)
    return value


def _cases(placed: _Placed, path: Path) -> tuple[GoldenCase, ...]:
    cases = []
    for number, (value, place) in enumerate(placed, start=1):
        try:
            cases.append(case_of(value, f"case {number}"))
        except ValueError as cause:
            raise _wrong(f"case {number}: {printable(str(cause))}", place) from cause
    if not cases:
        raise _wrong("the file holds no case", _place(path))
    return tuple(cases)


def _place(path: Path, mark: Mark | None = None) -> Place:
    name = printable(str(path))
    return Place(name, mark.line + 1, mark.column + 1) if mark else Place(name)


def _wrong(
    what: str, where: Where | None, *, got: str | None = None, expected: str | None = None
) -> UsageError:
    fix = "write a list of cases, each with prompt, passes and fails"
    return UsageError("C071", what, where=where, got=got, expected=expected, fix=fix)
