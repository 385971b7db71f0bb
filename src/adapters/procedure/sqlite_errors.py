"""What SQLite's errors mean to a person, whichever file of procedures they are about."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from errno import EACCES, EIO, ENOSPC
from pathlib import Path

from ...domain.errors import CeselloError, RetryableError
from .safe_files import refused


def meaning(
    file: Path, cause: Exception, what: str, damaged: Callable[[Path, str], CeselloError]
) -> CeselloError:
    """A full disk, a file that may not be opened or is busy, or a damaged one.

    Args:
        what: the file holds.
        damaged: the error of a file that is none of ours any more.
    """
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return RetryableError(
            "T098", f"{what} busy", where=str(file), got=str(cause), fix="try again in a moment"
        )
    numbers = {sqlite3.SQLITE_FULL: ENOSPC, sqlite3.SQLITE_IOERR: EIO, sqlite3.SQLITE_NOMEM: EIO}
    numbers |= dict.fromkeys((sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM), EACCES)
    if code in numbers:
        return refused(file, OSError(numbers[code], str(cause)))
    return damaged(file, str(cause))
