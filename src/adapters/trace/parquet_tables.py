"""Tables as Parquet, a file each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...domain.trace_export import ColumnKind, Table
from .export_files import check_free, whole_file

_TYPES = {ColumnKind.TEXT: pa.string(), ColumnKind.WHOLE: pa.int64(), ColumnKind.REAL: pa.float64()}
_ROWS = 20_000
"""Of a row group: all that is held at a time."""


class ParquetTables:
    """Implements ``TableExporter``.

    Args:
        folder: made where there is none.
        overwrite: files of these names in it are replaced.
    """

    def __init__(self, folder: Path, *, overwrite: bool = False) -> None:
        self._folder = folder
        self._overwrite = overwrite

    def export(self, tables: Iterable[Table]) -> Mapping[str, int]:
        """See the port."""
        check_free(self._folder, overwrite=self._overwrite)
        return {table.name: self._write(table) for table in tables}

    def _write(self, table: Table) -> int:
        schema = pa.schema([(name, _TYPES[kind]) for name, kind in table.columns.items()])
        written = 0
        with (
            whole_file(self._folder / f"{table.name}.parquet") as partial,
            pq.ParquetWriter(partial, schema, compression="zstd") as writer,
        ):
            for rows in _parts(table.rows):
                columns = zip(*rows, strict=True)
                arrays = [pa.array(column, kind.type) for column, kind in zip(columns, schema, strict=True)]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
                written += len(rows)
        return written


def _parts(rows: Iterator[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    while part := list(islice(rows, _ROWS)):
        yield part
