"""The tables of a memory's truth, and how its SQLite file is opened."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from errno import EACCES, EIO, ENOSPC
from pathlib import Path
from threading import Lock
from urllib.parse import quote

from ...domain.database_trouble import Trouble, is_busy, reason_of, trouble_of
from ...domain.errors import StoreError
from .own_files import refuse_links

FILE = "memory.sqlite3"
FORM = "1"
"""Raised when the tables change."""
_making = Lock()

_TABLES = f"""
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE roots(path TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE files(
  id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE,
  size INTEGER NOT NULL, modified INTEGER NOT NULL, digest TEXT NOT NULL
);
CREATE TABLE chunks(
  id INTEGER PRIMARY KEY, file INTEGER NOT NULL REFERENCES files(id), position INTEGER NOT NULL,
  key TEXT NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, start_line INTEGER NOT NULL,
  end_line INTEGER NOT NULL, language TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL
);
CREATE UNIQUE INDEX chunks_of_file ON chunks(file, position);
CREATE INDEX chunks_by_key ON chunks(key);
CREATE TABLE vectors(
  id INTEGER PRIMARY KEY, generation INTEGER NOT NULL, key TEXT NOT NULL, vector BLOB NOT NULL
);
CREATE UNIQUE INDEX vectors_by_key ON vectors(key, generation);
CREATE TABLE changes(revision INTEGER NOT NULL, key TEXT NOT NULL);
CREATE INDEX changes_by_revision ON changes(revision);
CREATE TABLE indexes(name TEXT PRIMARY KEY, revision INTEGER NOT NULL, dirty INTEGER NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(name, path, text);
INSERT INTO meta VALUES ('form', '{FORM}'), ('revision', '0'), ('generation', '1'), ('changes_from', '0'),
  ('identity', lower(hex(randomblob(16))));
"""
"""``body`` is what else there is of a chunk, as JSON. A row of ``words`` has the id of its chunk. ``changes``
has every key that came or went after the revision ``changes_from``."""


def connected(folder: Path, *, writing: bool) -> sqlite3.Connection | None:
    """A connection, with the tables made where there are none; None where there is nothing to read.

    Raises:
        StoreError: S011, S012, S017.
    """
    file = folder / FILE
    refuse_links([file])
    if writing:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError), (folder / ".gitignore").open("x") as ignore:
            ignore.write("*\n")  # nobody wants it in a repository, and it may be large
        _make(file)
    elif not file.is_file() or not file.stat().st_size:
        return None
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(file.absolute()))}?{_mode(file)}",
            uri=True, timeout=30, isolation_level=None, check_same_thread=False,
        )  # fmt: skip
        _set_up(connection, writing=writing)
        if not writing and not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            connection.close()  # its first writer was killed before it had made anything
            return None
        _check_form(connection, file)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as cause:
        raise explained(file, cause) from cause
    return connection


def _make(file: Path) -> None:
    """An empty file where there is none.

    One that is there is not opened: closing it would take from this process SQLite's locks on it (POSIX).
    """
    with _making:
        if not file.exists():
            # SQLite would make it readable to everybody; its log and the log's index are made like it.
            with suppress(FileExistsError):  # another process was faster
                os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _mode(file: Path) -> str:
    # SQLite would make a log to read beside, and nobody writes one where nobody may write.
    alone = not os.access(file.parent, os.W_OK) and not file.with_name(f"{FILE}-wal").exists()
    return "mode=ro&immutable=1" if alone else "mode=rw"


def _set_up(connection: sqlite3.Connection, *, writing: bool) -> None:
    connection.execute("PRAGMA synchronous=FULL")  # an acknowledged commit outlasts a power cut
    connection.execute("PRAGMA trusted_schema=OFF")  # a stranger's file calls no functions
    connection.execute("PRAGMA temp_store=MEMORY")
    if writing:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA secure_delete=ON")  # what is forgotten is overwritten
        if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            connection.executescript(f"BEGIN IMMEDIATE;{_TABLES}COMMIT;")


def _check_form(connection: sqlite3.Connection, file: Path) -> None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    form = (
        connection.execute("SELECT value FROM meta WHERE name = 'form'").fetchone()
        if {"meta", "chunks", "vectors", "words"} <= tables
        else None
    )
    if form is None or form[0] != FORM:
        raise StoreError(
            "S011",
            "a file is no memory that this version of cesello reads",
            where=str(file),
            got=f"form {form[0]}" if form else "other tables",
            expected=f"form {FORM}",
            fix="name another folder, or delete this one and remember again",
        )


def explained(file: Path, cause: Exception) -> Exception:
    """What SQLite's error means: a full disk, a file that may not be opened, or a damaged one."""
    match trouble_of(cause):
        case Trouble.FULL:
            return OSError(ENOSPC, "no space left on the device", str(file.parent))
        case Trouble.BUSY:
            return is_busy("the memory is", file, cause)
        case Trouble.DISK:
            return OSError(EIO, str(cause), str(file))
        case Trouble.REFUSED:
            return PermissionError(EACCES, str(cause), str(file))
        case _:
            return damaged(file, cause)


def damaged(file: Path, cause: Exception) -> StoreError:
    """What SQLite cannot read."""
    return StoreError(
        "S012",
        "the memory's file is damaged",
        where=str(file),
        got=reason_of(cause),
        fix=f"put a copy of {file.name} back, or delete it and run `cesello remember` again",
    )
