"""Functions of Python code that is here already: of the standard library, a package or a folder."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from ...domain.errors import DataError
from ...domain.source import SourceRow, identity_of
from .documented_functions import NOT_PYTHON, broken_line, documented_functions
from .file_walk import stamps
from .python_code import PythonCode


class StdlibSource:
    """Each documented public function: its signature and documentation ask, its code answers.

    Files that are no Python of this version are passed over in the standard library and in packages, which
    hold templates and files that are broken on purpose; in a folder of somebody's own they are D003.
    """

    def __init__(self, name: str, code: PythonCode) -> None:
        self._name = name
        self._code = code

    @property
    def name(self) -> str:
        return self._name

    @property
    def origin(self) -> str:
        return self._code.origin

    @property
    def identity(self) -> str:
        """The version of Python, which parses them, and path, size and last change of the files."""
        files = self._code.files(self._name)
        return identity_of(
            "stdlib", sys.version, [shown for _, shown in files], stamps(path for path, _ in files)
        )

    def rows(self) -> Iterator[SourceRow]:
        """One row a function, by file and then by line; see the port for the errors."""
        for path, shown in self._code.files(self._name):
            for line, values in self._functions(path, shown):
                yield SourceRow(f"{shown}:{line}", values)

    def _functions(self, path: Path, shown: str) -> list[tuple[int, dict[str, str]]]:
        try:
            return documented_functions(path)
        except OSError as cause:
            raise DataError(
                "D003", f"a file cannot be read: {cause}", where=shown, fix="check the file"
            ) from cause
        except NOT_PYTHON as cause:
            if not self._code.is_own:
                return []
            version, line = sysconfig.get_python_version(), broken_line(cause)
            raise DataError(
                "D003",
                f"a file is no Python {version}: {str(cause) or type(cause).__name__}",
                where=shown if line is None else f"{shown}:{line}",
                fix="mend it, or narrow folder so that it is left out",
            ) from cause
