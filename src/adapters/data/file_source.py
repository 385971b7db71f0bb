"""Rows of JSON Lines, JSON, CSV, Parquet and Arrow files, named by a path, a glob or a folder."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from pathlib import Path

from ...domain.errors import DataError
from ...domain.source import SourceRow, identity_of
from .file_rows import read_rows, reader_of
from .file_walk import checked, files_under, shown, stamps

_NOT_ROWS = {"dataset_dict.json", "dataset_info.json", "state.json"}
"""What the ``datasets`` library writes beside the tables of a dataset that it saves."""


class FileSource:
    """A dataset in files; several files are read in the order of their names, each as what it is called.

    Of a folder, files of other kinds and hidden ones are passed over.

    Args:
        root: what places are shown relative to, and what no path or link may lead out of.
        pattern: a file, a folder or a glob, relative to ``root``.
    """

    def __init__(self, name: str, root: Path, pattern: str) -> None:
        self._name = name
        self._root = root.resolve()
        self._pattern = pattern

    @property
    def name(self) -> str:
        return self._name

    @property
    def origin(self) -> str:
        return f"file {self._pattern}"

    @property
    def identity(self) -> str:
        """Path, size and time of the last change of its files."""
        return identity_of("file", stamps(self._files()))

    def rows(self) -> Iterator[SourceRow]:
        """Every row of every file; see the port for the errors."""
        for path in self._files():
            yield from read_rows(path, shown(path, self._root))

    def _files(self) -> list[Path]:
        try:
            found = sorted(self._found())
        except OSError as cause:
            raise DataError(
                "D003",
                f'the files of source "{self._name}" cannot be listed: {cause}',
                where=self._pattern,
                fix="check who may read them",
            ) from cause
        if not found:
            raise DataError(
                "D001",
                f'the files of source "{self._name}" do not exist',
                where=self._pattern,
                fix=f"correct its path; it is looked up in {shown(self._root, Path.cwd())}",
            )
        return found

    def _found(self) -> list[Path]:
        path = self._root / self._pattern
        if path.is_dir():
            return list(files_under(path, self._root, _holds_rows, _is_visible))
        if os.path.lexists(path):
            return [checked(path, self._root)]
        matches = glob.glob(self._pattern, root_dir=self._root, recursive=True)
        files = [self._root / match for match in matches if not (self._root / match).is_dir()]
        files.sort(key=lambda file: (len(file.parts), file), reverse=True)
        # A loop of links is gone through as often as the system lets it: of many ways to a file the shortest.
        ways = {file.resolve(): file for file in files}
        return [checked(file, self._root) for file in ways.values()]


def _holds_rows(path: Path) -> bool:
    return reader_of(path) is not None and path.name not in _NOT_ROWS and _is_visible(path)


def _is_visible(path: Path) -> bool:
    return not path.name.startswith(".")
