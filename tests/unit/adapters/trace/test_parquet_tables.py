"""Tables leave as Parquet, with their types, and come back as they were."""

from __future__ import annotations

import stat
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cesello.adapters.trace import parquet_tables
from cesello.adapters.trace.parquet_tables import ParquetTables
from cesello.domain.errors import UsageError
from cesello.domain.trace_export import ColumnKind, Table

COLUMNS = {"run": ColumnKind.TEXT, "step": ColumnKind.WHOLE, "value": ColumnKind.REAL}
ROWS = [("a", 1, 0.5), ("è", 2**62, None), (None, None, float("inf"))]


def test_values_and_types_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_tables, "_ROWS", 2)  # a second group of rows
    tables = [Table("metrics", COLUMNS, iter(ROWS)), Table("alarms", COLUMNS, iter(()))]
    assert ParquetTables(tmp_path / "new").export(tables) == {"metrics": 3, "alarms": 0}
    read = pq.read_table(tmp_path / "new" / "metrics.parquet")
    assert [tuple(row.values()) for row in read.to_pylist()] == ROWS
    assert [str(kind) for kind in read.schema.types] == ["string", "int64", "double"]
    empty = pq.read_table(tmp_path / "new" / "alarms.parquet")
    assert (empty.num_rows, empty.schema) == (0, read.schema)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()}
    assert modes == {0o600}


def test_a_folder_in_use_stays_unless_it_may_go(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"C163"):
        ParquetTables(tmp_path).export([])
    ParquetTables(tmp_path, overwrite=True).export([Table("metrics", COLUMNS, iter(ROWS))])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.parquet", "mine.txt"]
