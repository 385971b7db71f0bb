"""A person's statement reads the run store, and does nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cesello.adapters.run.folder_run_store import FolderRunStore
from cesello.adapters.trace.run_database import connected
from cesello.adapters.trace.sqlite_trace_store import SqliteTraceStore
from cesello.domain.errors import Interrupted, UsageError
from cesello.entrypoints.signals import SignalStop

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"


@pytest.fixture
def store(tmp_path: Path) -> SqliteTraceStore:
    connection = connected(tmp_path / "runs.sqlite")
    connection.execute("INSERT INTO alarms VALUES ('run', 1, 'kl', 'far')")
    connection.close()
    return SqliteTraceStore(tmp_path / "runs.sqlite", FolderRunStore(tmp_path))


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM alarms",
        "INSERT INTO alarms VALUES ('x', 1, 'y', 'z')",
        "UPDATE alarms SET text = ''",
        "DROP TABLE alarms",
        "CREATE TABLE mine(x)",
        "CREATE TEMP TABLE mine(x)",
        "WITH a AS (SELECT 1) DELETE FROM alarms",
        "ATTACH 'other.sqlite' AS other",
        "ATTACH ':memory:' AS other",
        "DETACH main",
        "VACUUM INTO 'copy.sqlite'",
        "REINDEX",
        "ANALYZE",
        "BEGIN IMMEDIATE",
        "SAVEPOINT mine",
        "PRAGMA query_only = OFF",
        "PRAGMA writable_schema = ON",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA user_version = 7",
        "PRAGMA table_info = 7",
        "SELECT load_extension('mine.so')",
        "SELECT * FROM pragma_user_version",
        "CREATE VIRTUAL TABLE mine USING fts5(x)",
    ],
)
def test_what_would_write_or_leave_the_file_is_refused(
    sql: str, store: SqliteTraceStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = (tmp_path / "runs.sqlite").read_bytes()
    if "table_info = " in sql:
        assert store.query(sql)[1] == []  # another way to ask for a table of that name
    else:
        with pytest.raises(UsageError, match=r"C161"):
            store.query(sql)
    assert (tmp_path / "runs.sqlite").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} <= {f"runs.sqlite{end}" for end in ("", "-wal", "-shm")}


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT wrong FROM alarms", "no such column: wrong"),
        ("SELECT * FROM nowhere", "no such table: nowhere"),
        ("SELECT readfile('/etc/passwd')", "no such function"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("", "no statement"),
        ("-- nothing", "no statement"),
        ("SELECT '\x00'", "null character"),
        ("SELECT zeroblob(100000000)", "too big"),
        ("SELECT ?", "binding"),
        ("SELECT abs(-9223372036854775808)", "overflow"),
    ],
)
def test_a_mistake_is_told_in_sqlites_words(sql: str, said: str, store: SqliteTraceStore) -> None:
    with pytest.raises(UsageError, match=r"C160") as told:
        store.query(sql)
    assert said in str(told.value.got)
    assert "alarms, attempts" in str(told.value.fix)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT run FROM alarms",
        "EXPLAIN QUERY PLAN SELECT * FROM alarms",
        "PRAGMA table_info(alarms)",
        "SELECT name FROM pragma_table_info('alarms')",
        "SELECT value FROM json_each('[1]')",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 3) SELECT x FROM c",
        "SELECT sql FROM sqlite_schema",
        "VALUES (1), (2)",
    ],
)
def test_what_reads_is_answered(sql: str, store: SqliteTraceStore) -> None:
    assert store.query(sql)[1]


def test_no_more_rows_are_read_than_are_wanted(store: SqliteTraceStore) -> None:
    endless = ENDLESS.replace("count(*)", "x")
    assert store.query(endless, limit=3) == (["x"], [(1,), (2,), (3,)])


def test_a_query_that_takes_too_long_is_ended(store: SqliteTraceStore) -> None:
    with pytest.raises(UsageError, match=r"C162"):
        store.query(ENDLESS, seconds=0.05)


@pytest.mark.parametrize(
    "row", ["printf('%.*c', 8000000, 'x')", "zeroblob(200000)"], ids=["a long text", "many shorter ones"]
)
def test_an_answer_is_not_too_long(row: str, store: SqliteTraceStore) -> None:
    with pytest.raises(UsageError, match=r"C162.*of text"):
        store.query(ENDLESS.replace("count(*)", row), limit=1_000_000, seconds=60)


def test_what_is_sorted_does_not_fill_the_memory(tmp_path: Path, store: SqliteTraceStore) -> None:
    """In a process of its own: how much another test had once taken does not count."""
    sql = ENDLESS.replace("count(*)", "printf('%.*c', 500000, 'x') || x AS y") + " ORDER BY y"
    program = (
        "import sys, pathlib\n"
        "from cesello.adapters.trace import guarded_query, run_database\n"
        "guarded_query._MEMORY = 100 << 20\n"
        "guarded_query.ask(run_database.read_only(pathlib.Path(sys.argv[1])), sys.argv[2], seconds=60)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "runs.sqlite"), sql]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "more than 100 MiB of memory" in ended.stderr


def test_the_clock_is_looked_at_after_each_row(
    store: SqliteTraceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cesello.adapters.trace.guarded_query._INSTRUCTIONS", 1 << 30)
    with pytest.raises(UsageError, match=r"C162"):
        store.query(ENDLESS.replace("count(*)", "x"), seconds=0.05)


def test_an_answer_is_not_too_wide(store: SqliteTraceStore) -> None:
    with pytest.raises(UsageError, match=r"C160.*too many columns"):
        store.query("SELECT " + ", ".join("1" * 129))


def test_a_query_that_is_asked_to_stop_ends_wherever_it_is(store: SqliteTraceStore) -> None:
    """An exception of the signal itself would be lost where SQLite asks what a statement may do."""
    stop = SignalStop()
    stop(signal.SIGINT, None)
    stop.forget()
    with pytest.raises(Interrupted, match="SIGINT"):
        store.query(ENDLESS, stop=stop)


def test_a_person_can_stop_a_query(tmp_path: Path, store: SqliteTraceStore) -> None:
    program = str(Path(sys.executable).with_name("cesello"))
    command = [program, "runs", "query", "--no-refresh", "--runs", str(tmp_path), "--seconds", "60", ENDLESS]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            while not _computes(process.pid):
                assert process.poll() is None
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            assert "stopped by SIGINT" in process.communicate(timeout=50)[1]
        finally:
            process.kill()
    assert process.returncode == 130


def _computes(process: int) -> bool:
    """Whether it has the database open: all that comes then is the query, which does not end."""
    folder = Path(f"/proc/{process}/fd")
    places = []
    for handle in folder.iterdir() if folder.exists() else ():
        try:
            places.append(os.readlink(handle))
        except OSError:
            continue
    return any(place.endswith("runs.sqlite-shm") for place in places)
