"""How the SQLite files of what was learnt are opened: private, out of repositories, errors in our form."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from ...domain.errors import CeselloError, DataError
from .safe_files import keep_out, make_private, refused
from .sqlite_errors import meaning

_PATIENCE = 10.0
"""Seconds to wait for another process, which writes for some milliseconds."""


@contextmanager
def opened(file: Path, tables: str, form: int) -> Iterator[sqlite3.Connection]:
    """A connection for one use, with the tables made where there are none.

    Raises:
        DataError: D048 when the file is damaged. RetryableError: T075, T098. StorageError: I003.
    """
    connection: sqlite3.Connection | None = None
    try:
        _prepare(file)
        # A folder that cannot be written is read: its procedures may be used, and nothing is learnt of them.
        mode = "rw" if os.access(file.parent, os.W_OK) else "ro"
        name = f"file:{quote(str(file.absolute()))}?mode={mode}"
        connection = sqlite3.connect(name, uri=True, timeout=_PATIENCE, isolation_level=None)
        connection.execute("PRAGMA synchronous=FULL")  # an acknowledged row outlasts a power cut
        connection.execute("PRAGMA trusted_schema=OFF")  # a stranger's file calls no functions
        _make(connection, file, tables, form)
        yield connection
    except CeselloError:
        raise
    except OSError as cause:
        raise refused(file, cause) from cause
    except (sqlite3.Error, ValueError) as cause:
        raise meaning(file, cause, "what was learnt of procedures is", damaged) from cause
    finally:
        if connection is not None:
            connection.close()


def _prepare(file: Path) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    keep_out(file.parent)  # requests of a person are nobody else's
    make_private(file)


def _make(connection: sqlite3.Connection, file: Path, tables: str, form: int) -> None:
    there = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if there == form:
        return
    if there:
        raise damaged(file, f"form {there}; this version of cesello reads form {form}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
        for statement in tables.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {form}")
    connection.execute("COMMIT")


def damaged(file: Path, got: str) -> DataError:
    """D048."""
    fix = "put a copy of the file back, or move it away: it is made anew, without what it held"
    return DataError("D048", "a file of procedures is damaged", where=str(file), got=got[:200], fix=fix)
