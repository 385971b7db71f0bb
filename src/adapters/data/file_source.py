"""Rows of JSON Lines, JSON, CSV, Parquet and Arrow files, named by a path, a glob or a folder."""

from __future__ import annotations

import csv
import glob
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ...domain.errors import DataError
from ...domain.source import SourceRow


class FileSource:
    """A dataset in files; several files are read in the order of their names.

    Args:
        root: what places are shown relative to; the caller has made sure that ``pattern`` stays inside it.
        pattern: a file, a folder or a glob, relative to ``root``.
    """

    def __init__(self, name: str, root: Path, pattern: str) -> None:
        self._name = name
        self._root = root
        self._pattern = pattern

    @property
    def name(self) -> str:
        return self._name

    @property
    def origin(self) -> str:
        return f"file {self._pattern}"

    def rows(self) -> Iterator[SourceRow]:
        """Every row of every file; see the port for the errors."""
        found = False
        for path in self._files():
            for row in read_rows(path, _relative(path, self._root)):
                found = True
                yield row
        if not found:
            raise DataError(
                "D002",
                "a source is empty",
                where=f'source "{self._name}" ({self._pattern})',
                fix="give it rows",
            )

    def _files(self) -> list[Path]:
        path = self._root / self._pattern
        if path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.is_file() and reader_of(file))
        elif path.is_file():
            found = [path]
        else:
            matches = glob.glob(self._pattern, root_dir=self._root, recursive=True)
            found = sorted(file for match in matches if (file := self._root / match).is_file())
        if not found:
            raise DataError(
                "D001",
                f'the files of source "{self._name}" do not exist',
                where=self._pattern,
                fix=f"correct its path; it is looked up in {_relative(self._root, Path.cwd())}",
            )
        return found


def read_rows(path: Path, shown: str) -> Iterator[SourceRow]:
    """The rows of one file, whose kind its name tells.

    Args:
        shown: the path as a person knows it.

    Raises:
        DataError: D003 when the file cannot be read as what its name says.
    """
    reader = reader_of(path)
    if reader is None:
        raise DataError(
            "D003",
            "the kind of a file is not known",
            where=shown,
            expected=" ".join(_READERS),
            fix="convert it",
        )
    try:
        yield from reader(path, shown)
    except UnicodeDecodeError as cause:
        raise DataError("D003", "a file is not UTF-8", where=shown, fix="save it as UTF-8") from cause
    except (OSError, EOFError, zlib.error) as cause:
        raise DataError(
            "D003", f"a file cannot be read: {cause}", where=shown, fix="check the file"
        ) from cause


def reader_of(path: Path) -> Callable[[Path, str], Iterator[SourceRow]] | None:
    """The reader for a file, by the end of its name; ``.gz`` may follow."""
    name = path.name.removesuffix(".gz")
    return next((reader for suffix, reader in _READERS.items() if name.endswith(suffix)), None)


def _relative(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _open(path: Path) -> io.TextIOBase:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _json_lines(path: Path, shown: str) -> Iterator[SourceRow]:
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield _object(_parse(line, f"{shown}:{number}"), f"{shown}:{number}")


def _json(path: Path, shown: str) -> Iterator[SourceRow]:
    with _open(path) as file:
        text = file.read()
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if len(lines) > 1 and lines[0][1].rstrip().endswith("}"):
        # JSON Lines under the name .json, as the Berkeley leaderboard writes them.
        for number, line in lines:
            yield _object(_parse(line, f"{shown}:{number}"), f"{shown}:{number}")
        return
    value = _parse(text, shown) if lines else []
    rows = value if isinstance(value, list) else [value]
    for number, row in enumerate(rows, start=1):
        yield _object(row, f"{shown} row {number}")


def _parse(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise DataError("D003", f"broken JSON: {cause}", where=place, fix="mend or remove it") from cause


def _object(value: Any, place: str) -> SourceRow:
    if not isinstance(value, dict):
        raise DataError(
            "D003",
            "a row is not an object",
            where=place,
            got=type(value).__name__,
            expected="object",
            fix="mend it",
        )
    return SourceRow(place, value)


def _csv(path: Path, shown: str) -> Iterator[SourceRow]:
    with _open(path) as file:
        reader = csv.DictReader(file, strict=True)
        try:
            for row in reader:
                if None in row:
                    raise csv.Error("more fields than headings")
                yield SourceRow(f"{shown}:{reader.line_num}", dict(row))
        except csv.Error as cause:
            raise DataError(
                "D003",
                f"broken CSV: {cause}",
                where=f"{shown}:{reader.reader.line_num}",
                fix="mend the line",
            ) from cause


def _table(kind: str) -> Callable[[Path, str], Iterator[SourceRow]]:
    def read(path: Path, shown: str) -> Iterator[SourceRow]:
        # Arrow is half a second to import and few sources need it.
        import pyarrow as arrow
        import pyarrow.dataset as dataset

        try:
            number = 0
            for batch in dataset.dataset(str(path), format=kind).to_batches():
                for values in batch.to_pylist():
                    number += 1
                    yield SourceRow(f"{shown} row {number}", values)
        except arrow.ArrowInvalid as cause:
            raise DataError(
                "D003",
                f"broken {kind} file: {cause}",
                where=shown,
                fix="write it again",
            ) from cause

    return read


_READERS: dict[str, Callable[[Path, str], Iterator[SourceRow]]] = {
    ".jsonl": _json_lines,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _table("parquet"),
    ".arrow": _table("ipc"),
}
