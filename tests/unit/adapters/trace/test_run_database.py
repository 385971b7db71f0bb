"""The database file: who may read it, and what is refused."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from cesello.adapters.trace.run_database import connected, read_only
from cesello.adapters.trace.tables import FORM, TABLES
from cesello.domain.errors import StorageError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "runs.sqlite"


def test_it_is_made_with_its_tables_for_its_owner_alone(file: Path) -> None:
    before = os.umask(0)
    try:
        with closing(connected(file)) as connection:
            connection.execute("INSERT INTO alarms VALUES ('a', 1, 'b', 'c')")
            for name in ("runs.sqlite", "runs.sqlite-wal", "runs.sqlite-shm"):
                assert stat.S_IMODE((file.parent / name).stat().st_mode) == 0o600
            found = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
            [[journal]] = connection.execute("PRAGMA journal_mode")
    finally:
        os.umask(before)
    assert {"runs", "rollouts", "attempts", "rewards", "spans", "events"} <= found
    assert journal == "wal"
    assert len(found) >= TABLES.count("CREATE")


def test_it_is_opened_again_as_it_was(file: Path) -> None:
    with closing(connected(file)) as connection:
        connection.execute("INSERT INTO alarms VALUES ('a', 1, 'b', 'c')")
    with closing(connected(file)) as writer, closing(read_only(file)) as reader:
        for one in (writer, reader):
            assert one.execute("SELECT * FROM alarms").fetchall() == [("a", 1, "b", "c")]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("DELETE FROM alarms")


def test_there_is_nothing_to_read_where_nothing_was_written(file: Path) -> None:
    with pytest.raises(StorageError) as refused:
        read_only(file)
    assert (refused.value.code, refused.value.where) == ("I091", str(file))
    assert not file.parent.exists()


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_is_refused(kind: str, file: Path) -> None:
    file.parent.mkdir()
    elsewhere = file.parent / "elsewhere"
    if kind == "link":
        connected(elsewhere).close()
        file.symlink_to(elsewhere)
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.mkdir()
    for opened in (connected, read_only):
        with pytest.raises(StorageError) as refused:
            opened(file)
        assert refused.value.code == "I091"


def _text(file: Path) -> None:
    file.write_text("no database at all, but long enough to be read as one" * 100)


def _cut(file: Path) -> None:
    connected(file).close()
    file.write_bytes(file.read_bytes()[:5000])


def _strangers(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE theirs(a)")


def _newer(file: Path) -> None:
    with closing(connected(file)) as connection:
        connection.execute(f"PRAGMA user_version={FORM + 1}")


@pytest.mark.parametrize("damage", [_text, _cut, _strangers, _newer])
def test_what_is_not_ours_is_left_as_it_is(damage: object, file: Path) -> None:
    file.parent.mkdir()
    assert callable(damage)
    damage(file)
    before = file.read_bytes()
    for opened in (connected, read_only):
        with pytest.raises(StorageError) as refused:
            opened(file)
        assert refused.value.code == "I092"
        assert refused.value.fix
    assert file.read_bytes() == before
