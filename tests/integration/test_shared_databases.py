"""SQLite files that one process has open more than once, while another comes and goes.

POSIX takes all locks of a process on a file from it as soon as it closes any descriptor of that file. The
next process to close the file then believes to be the last one, and deletes the log that is still written to.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from cesello import tracing
from cesello.adapters.memory import chunk_tables
from cesello.adapters.procedure import learnt_database
from cesello.adapters.procedure.version_database import VersionDatabase
from cesello.adapters.prompt import ledger_tables
from cesello.adapters.trace import run_database

GUEST = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as connection:
    connection.execute("INSERT INTO guests VALUES (1)")
connection.close()
"""
Open = Callable[[Path], sqlite3.Connection]


def _memory(file: Path) -> sqlite3.Connection:
    connection = chunk_tables.connected(file.parent, writing=True)
    assert connection
    return connection


def _learnt(file: Path) -> sqlite3.Connection:
    with learnt_database.opened(file, "CREATE TABLE a(b)", 1):
        pass
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("SELECT * FROM a").fetchall()
    return connection


def _versions(file: Path) -> sqlite3.Connection:
    with VersionDatabase(file).changing():
        pass
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")  # so that a connection that waits has locks
    connection.execute("SELECT * FROM version").fetchall()
    return connection


OPEN: dict[str, tuple[str, Open]] = {
    "runs": ("runs.sqlite", run_database.connected),
    "ledger": ("ledger.sqlite", ledger_tables.connected),
    "memory": (chunk_tables.FILE, _memory),
    "learnt": ("learnt.sqlite", _learnt),
    "versions": ("versions.sqlite", _versions),
}


@pytest.mark.parametrize("name", OPEN)
def test_a_second_connection_leaves_the_first_its_locks(name: str, tmp_path: Path) -> None:
    file = tmp_path / OPEN[name][0]
    log = file.with_name(f"{file.name}-wal")
    with closing(OPEN[name][1](file)) as first:
        before = log.stat().st_ino
        with closing(OPEN[name][1](file)):
            pass
        first.execute("CREATE TABLE guests(a)")
        subprocess.run([sys.executable, "-c", GUEST, str(file)], check=True)
        assert log.stat().st_ino == before
        first.execute("INSERT INTO guests VALUES (2)")
    with closing(sqlite3.connect(file)) as last:
        assert last.execute("SELECT a FROM guests").fetchall() == [(1,), (2,)]
        assert last.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_nested_runs_and_another_process_keep_all_spans(tmp_path: Path) -> None:
    """A judge with a run of its own within an agent's, and other agents beside it."""
    beside = (
        "import sys; from cesello import tracing\n"
        "with tracing.run('beside', sys.argv[1]) as run:\n"
        "    for _ in range(300):\n"
        "        with tracing.span('theirs'): pass"
    )
    file = tmp_path / "runs.sqlite"
    notes: list[str] = []
    with closing(run_database.connected(file)), tracing.run("agent", tmp_path, note=notes.append):
        for _ in range(2):
            with tracing.run("judge", tmp_path, note=notes.append), tracing.span("judged"):
                pass
            subprocess.run([sys.executable, "-c", beside, str(tmp_path)], check=True)
            for _ in range(500):
                with tracing.span("ours"):
                    pass
    with closing(run_database.read_only(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = dict(connection.execute("SELECT name, count(*) FROM spans GROUP BY name").fetchall())
    assert (found["theirs"], found["ours"], found["judged"], notes) == (600, 1000, 2, [])
