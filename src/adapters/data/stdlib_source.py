"""Functions of Python code that is here already: of the standard library, a package or a folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from ...domain.errors import DataError
from ...domain.source import SourceRow, identity_of
from .documented_functions import documented_functions
from .file_walk import stamps
from .python_code import PythonCode


class StdlibSource:
    """Each documented public function: its signature and documentation ask, its code answers."""

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
            try:
                for line, values in documented_functions(path):
                    yield SourceRow(f"{shown}:{line}", values)
            except OSError as cause:
                raise DataError(
                    "D003", f"a file cannot be read: {cause}", where=shown, fix="check the file"
                ) from cause
