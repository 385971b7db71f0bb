"""The errors are SQLite's own: what it calls them is what tells them apart."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from errno import ENOSPC
from pathlib import Path

import pytest

from cesello.domain.database_trouble import Trouble, disk_is_full, is_busy, reason_of, trouble_of


def filled(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "a")) as connection:
        connection.execute("PRAGMA max_page_count=2")
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")


def locked(folder: Path) -> None:
    with (
        closing(sqlite3.connect(folder / "a", isolation_level=None)) as one,
        closing(sqlite3.connect(folder / "a", timeout=0)) as other,
    ):
        one.execute("BEGIN EXCLUSIVE")
        other.execute("SELECT 1 FROM sqlite_schema")


def no_database(folder: Path) -> None:
    (folder / "a").write_bytes(b"no database" * 100)
    with closing(sqlite3.connect(folder / "a")) as connection:
        connection.execute("SELECT 1 FROM sqlite_schema")


def nowhere(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "none" / "a")):
        pass


def read_only(folder: Path) -> None:
    (folder / "a").touch()
    with closing(sqlite3.connect(f"file:{folder / 'a'}?mode=ro", uri=True)) as connection:
        connection.execute("CREATE TABLE t (x)")


def no_text(folder: Path) -> None:
    b"\xff".decode()


def full(folder: Path) -> None:
    raise OSError(ENOSPC, os.strerror(ENOSPC))


def wrong_query(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "a")) as connection:
        connection.execute("SELECT x FROM nothing")


@pytest.mark.parametrize(
    ("act", "trouble"),
    [
        (filled, Trouble.FULL),
        (full, Trouble.FULL),
        (locked, Trouble.BUSY),
        (no_database, Trouble.DAMAGED),
        (no_text, Trouble.DAMAGED),
        (nowhere, Trouble.REFUSED),
        (read_only, Trouble.REFUSED),
        (wrong_query, Trouble.OTHER),
    ],
)
def test_what_is_wrong(act: Callable[[Path], None], trouble: Trouble, tmp_path: Path) -> None:
    with pytest.raises((sqlite3.Error, OSError, UnicodeDecodeError)) as caught:
        act(tmp_path)
    assert trouble_of(caught.value) is trouble


@pytest.mark.parametrize(
    ("code", "name"),
    [(sqlite3.SQLITE_IOERR_WRITE, "SQLITE_IOERR_WRITE"), (sqlite3.SQLITE_IOERR | 34 << 8, "unknown")],
)
def test_what_a_code_says_above_its_lowest_bits_only_says_more(code: int, name: str) -> None:
    """Codes that SQLite has got since Python was built are unknown to Python by name."""
    cause = sqlite3.OperationalError("disk I/O error")
    cause.sqlite_errorcode, cause.sqlite_errorname = code, name
    assert trouble_of(cause) is Trouble.DISK
    assert trouble_of(sqlite3.OperationalError("by hand")) is Trouble.OTHER


def test_a_reason_is_one_line() -> None:
    assert reason_of(ValueError("one\ntwo")) == "one"
    assert reason_of(ValueError()) == "ValueError"
    assert len(reason_of(ValueError("x" * 1000))) == 200


def test_what_is_told() -> None:
    cause = sqlite3.OperationalError("database is locked")
    assert (disk_is_full("runs", cause).code, is_busy("it is", "runs/a", cause).code) == ("T075", "T098")
    assert "it is busy at runs/a · got database is locked" in str(is_busy("it is", "runs/a", cause))
