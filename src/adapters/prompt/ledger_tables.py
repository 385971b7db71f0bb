"""The tables of an evaluation ledger, and what SQLite's errors mean there."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Lock
from urllib.parse import quote

from ...domain.database_trouble import told
from ...domain.errors import CeselloError, StorageError

FORM = "1"
"""Raised when the tables change."""

_TABLES = f"""
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE trials(
  engine TEXT NOT NULL, candidate TEXT NOT NULL, task TEXT NOT NULL, replicate INTEGER NOT NULL,
  score REAL, reasons TEXT NOT NULL, verdict TEXT NOT NULL, completion TEXT NOT NULL,
  tokens INTEGER NOT NULL, prompt_characters INTEGER NOT NULL, seconds REAL NOT NULL,
  PRIMARY KEY(engine, candidate, task, replicate)
) STRICT, WITHOUT ROWID;
CREATE TABLE proposals(
  engine TEXT NOT NULL, key TEXT NOT NULL, answer TEXT NOT NULL, PRIMARY KEY(engine, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE candidates(
  number INTEGER PRIMARY KEY, engine TEXT NOT NULL, record TEXT NOT NULL, UNIQUE(engine, record)
) STRICT;
INSERT INTO meta VALUES ('form', '{FORM}');
"""
"""``reasons``, ``completion``, ``answer`` (a list of proposals) and ``record`` (a candidate) are JSON in
ASCII, so that what is no text comes back as it was."""

_NAMES = {"meta", "trials", "proposals", "candidates"}
_making = Lock()


def connected(file: Path) -> sqlite3.Connection:
    """A connection that writes, with the tables made where there are none.

    Raises:
        StorageError: I003, I090. RetryableError: T075, T098.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(file)
        connection = sqlite3.connect(
            f"file:{quote(str(file.absolute()))}?mode=rw",
            uri=True, timeout=30, isolation_level=None, check_same_thread=False,
        )  # fmt: skip
    except (OSError, sqlite3.Error) as cause:
        raise explained(file, cause) from cause
    try:
        _set_up(connection)
        _check_form(connection, file)
    except BaseException as cause:
        connection.close()
        if isinstance(cause, sqlite3.Error | UnicodeDecodeError):
            raise explained(file, cause) from cause
        raise
    return connection


def _make(file: Path) -> None:
    """An empty file where there is none; a link is refused.

    One that is there is not opened: closing it would take from this process SQLite's locks on it (POSIX).
    """
    with _making:
        if not os.path.lexists(file):
            # SQLite would make it readable to everybody; its log and the log's index are made like it.
            with suppress(FileExistsError):  # another process was faster
                os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        if not stat.S_ISREG(os.lstat(file).st_mode):
            raise OSError(f"{file.name} is not a file")


def _set_up(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous=FULL")  # an acknowledged commit outlasts a power cut
    connection.execute("PRAGMA trusted_schema=OFF")  # a stranger's file calls no functions
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute("PRAGMA journal_mode=WAL")
    if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        connection.executescript(f"BEGIN IMMEDIATE;{_TABLES}COMMIT;")


def _check_form(connection: sqlite3.Connection, file: Path) -> None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    rows = (
        connection.execute("SELECT value FROM meta WHERE name = 'form'").fetchall()
        if tables == _NAMES
        else []
    )
    if rows != [(FORM,)]:
        raise damaged(file, f"form {rows[0][0]}" if rows else "other tables", f"form {FORM}")


def explained(file: Path, cause: Exception) -> CeselloError:
    """What an error means: a full disk, a file that is busy, may not be opened or is damaged."""

    def other(got: str) -> StorageError:
        return StorageError(
            "I003",
            "a run cannot be written",
            where=str(file),
            got=got,
            fix="set output to a folder that can be written",
        )

    return told(cause, file, "the ledger of a prompt search is", damaged=partial(damaged, file), other=other)


def damaged(file: Path, got: str, expected: str | None = None) -> StorageError:
    """What is no ledger, or none any more."""
    return StorageError(
        "I090",
        "the ledger of a prompt search is damaged",
        where=str(file),
        got=got,
        expected=expected,
        fix="put a copy of the file back, or begin the run anew: --run ID --overwrite",
    )
