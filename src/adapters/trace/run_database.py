"""The database of a project's runs: how it is made and opened, and what SQLite's errors mean there."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Lock
from urllib.parse import quote

from ...domain.database_trouble import told
from ...domain.errors import CeselloError, StorageError
from .tables import FORM, TABLES

FILE = "runs.sqlite"
"""Its name in the folder of runs."""

_MARK = 0x63736C6F
"""SQLite's ``application_id``, so that a stranger's database is known for one ("cslo")."""
_making = Lock()


def connected(file: Path, *, timeout: float = 30.0) -> sqlite3.Connection:
    """A connection that writes, with the tables made where there are none.

    A commit outlasts the process that made it; the last ones may be lost when the power is cut.

    Args:
        timeout: seconds to wait for another process that writes.

    Raises:
        StorageError: I091 when it cannot be opened, I092 when it is damaged or none of ours.
        RetryableError: T075, T098.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _look(file, make=True)
        connection = _opened(file, "rw", timeout)
    except (OSError, sqlite3.Error) as cause:
        raise explained(file, cause) from cause
    return _checked(connection, file, _set_up)


def read_only(file: Path, *, timeout: float = 30.0) -> sqlite3.Connection:
    """A connection that can change nothing.

    Raises:
        StorageError: I091 when there is none or it cannot be opened, I092 when it is damaged or none of ours.
    """
    try:
        _look(file)
        connection = _opened(file, "ro", timeout)
    except (OSError, sqlite3.Error) as cause:
        raise explained(file, cause) from cause
    return _checked(connection, file, lambda it: it.execute("PRAGMA query_only=ON"))


def _look(file: Path, *, make: bool = False) -> None:
    """Refuses a link and what is no file (a pipe would be waited for).

    A file that is there is not opened: closing it would take from this process the locks that SQLite has on
    it (POSIX), and another process would delete the log under its hands. For the same reason nobody may open
    a new one here before it has been closed.
    """
    with _making:
        if make and not os.path.lexists(file):
            # SQLite would make it readable to everybody; its log and the log's index are made like it.
            with suppress(FileExistsError):  # another process was faster
                os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        if not stat.S_ISREG(os.lstat(file).st_mode):
            raise OSError(f"{file.name} is not a file")


def _opened(file: Path, mode: str, timeout: float) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(file.absolute()))}?mode={mode}",
        uri=True, timeout=timeout, isolation_level=None, check_same_thread=False,
    )  # fmt: skip


def _checked(
    connection: sqlite3.Connection, file: Path, prepare: Callable[[sqlite3.Connection], object]
) -> sqlite3.Connection:
    try:
        connection.execute("PRAGMA trusted_schema=OFF")  # a stranger's file calls no functions
        connection.execute("PRAGMA temp_store=MEMORY")
        prepare(connection)
        _check_form(connection, file)
    except BaseException as cause:
        connection.close()
        if isinstance(cause, sqlite3.Error | UnicodeDecodeError):
            raise explained(file, cause) from cause
        raise
    return connection


def _keep_a_log(connection: sqlite3.Connection) -> None:
    """WAL; where several make the database at once, SQLite waits for none of them, whatever the timeout."""
    for wait in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, None):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as cause:
            if wait is None or cause.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(wait)


def _set_up(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")
    if not _empty(connection):
        # What is no database of ours stays as it is.
        return
    _keep_a_log(connection)
    connection.execute("BEGIN IMMEDIATE")  # two processes may begin at once
    try:
        if _empty(connection):
            for statement in filter(str.strip, TABLES.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id={_MARK}")
            connection.execute(f"PRAGMA user_version={FORM}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def _empty(connection: sqlite3.Connection) -> bool:
    count: int = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    return count == 0


def _check_form(connection: sqlite3.Connection, file: Path) -> None:
    [mark], [form] = (
        connection.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
    )
    if mark != _MARK:
        raise damaged(file, "another program's database" if mark else "a database without our tables")
    if form != FORM:
        raise damaged(file, f"form {form}", f"form {FORM}")


def explained(file: Path, cause: Exception) -> CeselloError:
    """What an error means: a full disk, a file that is busy, may not be opened or is damaged."""

    def other(got: str) -> StorageError:
        return StorageError(
            "I091",
            "the database of runs cannot be opened",
            where=str(file),
            got=got,
            fix="see that its folder exists and that you may read and write it",
        )

    return told(cause, file, "the database of runs is", damaged=partial(damaged, file), other=other)


def damaged(file: Path, got: str, expected: str | None = None) -> StorageError:
    """What is no database of runs, or none any more."""
    return StorageError(
        "I092",
        "the database of runs is damaged, or none of ours",
        where=str(file),
        got=got,
        expected=expected,
        fix="move it away: a new one is made of the run folders; recorded spans are only in the old one",
    )
