"""The rows of one file, whose kind its name tells."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias, cast

from ...domain.errors import DataError
from ...domain.source import SourceRow

Reader: TypeAlias = Callable[[Path, str], Iterator[SourceRow]]

_BATCH = 1000
"""Rows of a table that are in memory at a time."""

_LONGEST_FIELD = 2**31 - 1
"""In characters; what a C long holds everywhere. The csv module's own limit is 131,072."""


def read_rows(path: Path, shown: str) -> Iterator[SourceRow]:
    """The rows of a file, read as they are asked for, save those of a JSON list, which is one value.

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


def reader_of(path: Path) -> Reader | None:
    """The reader for a file, by the end of its name."""
    return next((reader for suffix, reader in _READERS.items() if path.name.endswith(suffix)), None)


def _open(path: Path) -> io.TextIOBase:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    if path.name.endswith(".zst"):
        return io.TextIOWrapper(_unpacked_zstd(path), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _unpacked_zstd(path: Path) -> io.BufferedReader:
    # Arrow is half a second to import, here and below, and few sources need it.
    import pyarrow as arrow

    stream = arrow.CompressedInputStream(arrow.OSFile(str(path)), "zstd")
    return io.BufferedReader(cast(io.RawIOBase, stream))


def _json_lines(path: Path, shown: str) -> Iterator[SourceRow]:
    with _open(path) as file:
        yield from _rows_of_lines(enumerate(file, start=1), shown)


def _rows_of_lines(lines: Iterator[tuple[int, str]], shown: str) -> Iterator[SourceRow]:
    for number, line in lines:
        if line.strip():
            yield _object(_parse(line, f"{shown}:{number}"), f"{shown}:{number}")


def _json(path: Path, shown: str) -> Iterator[SourceRow]:
    with _open(path) as file:
        lines = enumerate(file, start=1)
        first = next(((number, line) for number, line in lines if line.strip()), None)
        if first is None:
            return
        if _is_object(first[1]):
            # JSON Lines under the name .json, as the Berkeley leaderboard writes them.
            yield from _rows_of_lines(chain([first], lines), shown)
            return
        # Line ends as they were, so that a broken place keeps its line number.
        value = _parse("\n" * (first[0] - 1) + first[1] + file.read(), shown)
    rows = value if isinstance(value, list) else [value]
    for number, row in enumerate(rows, start=1):
        yield _object(row, f"{shown} row {number}")


def _is_object(line: str) -> bool:
    try:
        return line.lstrip().startswith("{") and isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


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
    csv.field_size_limit(_LONGEST_FIELD)
    with _open(path) as file:
        reader = csv.DictReader(file, strict=True)
        try:
            if len(set(reader.fieldnames or ())) < len(reader.fieldnames or ()):
                raise csv.Error("two columns have the same heading")
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


def _table(kind: str, batches: Callable[[Path], Iterator[Any]]) -> Reader:
    def read(path: Path, shown: str) -> Iterator[SourceRow]:
        import pyarrow as arrow

        number = 0
        try:
            for batch in batches(path):
                # What it says about itself can be wrong, and then reading it would crash.
                batch.validate(full=True)
                if len(set(batch.schema.names)) < len(batch.schema.names):
                    raise arrow.ArrowInvalid("two columns have the same name")
                for start in range(0, batch.num_rows, _BATCH):
                    for values in _values(batch.slice(start, _BATCH)):
                        number += 1
                        yield SourceRow(f"{shown} row {number}", values)
        except arrow.ArrowException as cause:
            raise DataError(
                "D003",
                f"broken {kind} file: {cause}",
                where=shown,
                fix="write it again",
            ) from cause
        except (ValueError, OverflowError, LookupError) as cause:
            raise DataError(
                "D003",
                f"a value of a {kind} file cannot be read: {cause}",
                where=f"{shown} row {number + 1}",
                fix="mend the row, or save its columns as text",
            ) from cause

    return read


def _values(rows: Any) -> Iterable[Any]:
    """Of every row; one row at a time where one cannot be told in Python, so that it is known which."""
    try:
        values: list[Any] = rows.to_pylist()
    except (ValueError, OverflowError, LookupError):
        return (rows.slice(index, 1).to_pylist()[0] for index in range(rows.num_rows))
    return values


def _parquet_batches(path: Path) -> Iterator[Any]:
    import pyarrow.parquet as parquet

    with parquet.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=_BATCH)


def _arrow_batches(path: Path) -> Iterator[Any]:
    """Of the file format, and of the stream format, in which the ``datasets`` library saves."""
    import pyarrow as arrow

    with arrow.memory_map(str(path)) as file:
        magic = file.read(6)
        file.seek(0)
        if magic == b"ARROW1":
            reader = arrow.ipc.open_file(file)
            yield from map(reader.get_batch, range(reader.num_record_batches))
        else:
            yield from arrow.ipc.open_stream(file)


_TEXTS: dict[str, Reader] = {".jsonl": _json_lines, ".json": _json, ".csv": _csv}
_READERS: dict[str, Reader] = {
    **{f"{suffix}{packed}": reader for suffix, reader in _TEXTS.items() for packed in ("", ".gz", ".zst")},
    ".parquet": _table("parquet", _parquet_batches),
    ".arrow": _table("arrow", _arrow_batches),
}
