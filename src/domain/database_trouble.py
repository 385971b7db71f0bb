"""What is wrong with a database of SQLite, told by what its error says of itself and by nothing else."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import PurePath

from .errors import CeselloError, RetryableError

_LONGEST = 200
"""Characters of a reason."""


class Trouble(StrEnum):
    """What an error means to a person: to wait, to free space, to look at the folder or at the file."""

    FULL = "full"
    BUSY = "busy"
    REFUSED = "refused"
    DISK = "disk"
    DAMAGED = "damaged"
    OTHER = "other"


_TROUBLES = {
    13: Trouble.FULL,  # SQLITE_FULL
    5: Trouble.BUSY,  # SQLITE_BUSY
    6: Trouble.BUSY,  # SQLITE_LOCKED
    14: Trouble.REFUSED,  # SQLITE_CANTOPEN
    8: Trouble.REFUSED,  # SQLITE_READONLY
    3: Trouble.REFUSED,  # SQLITE_PERM
    10: Trouble.DISK,  # SQLITE_IOERR
    7: Trouble.DISK,  # SQLITE_NOMEM
    11: Trouble.DAMAGED,  # SQLITE_CORRUPT
    26: Trouble.DAMAGED,  # SQLITE_NOTADB
}
"""By primary result code, https://www.sqlite.org/rescode.html: the lowest 8 bits, above which others only say
more. Names would not do: a SQLite that is newer than Python has codes that Python calls ``unknown``."""


def trouble_of(cause: Exception) -> Trouble:
    """That of an error of SQLite, of the disk, or of a text in a database that is none."""
    if isinstance(cause, UnicodeDecodeError):
        return Trouble.DAMAGED
    if isinstance(cause, OSError):
        return Trouble.FULL if cause.errno in (ENOSPC, EDQUOT, EFBIG) else Trouble.OTHER
    code = getattr(cause, "sqlite_errorcode", None)
    return _TROUBLES.get(code & 0xFF, Trouble.OTHER) if isinstance(code, int) else Trouble.OTHER


def reason_of(cause: Exception) -> str:
    """What it says, on one line; a query's text may be in the others."""
    return (str(cause).splitlines() or [type(cause).__name__])[0][:_LONGEST]


def disk_is_full(folder: object, cause: Exception) -> RetryableError:
    """Of a database whose transactions are taken back."""
    return RetryableError(
        "T075", "the disk is full", where=str(folder), got=reason_of(cause),
        fix="free some space and run the command again; nothing half-written was kept",
    )  # fmt: skip


def told(
    cause: Exception,
    file: PurePath,
    what: str,
    *,
    damaged: Callable[[str], CeselloError],
    other: Callable[[str], CeselloError],
) -> CeselloError:
    """What an error means, of a database without which a command cannot go on.

    Args:
        what: see ``is_busy``.
        damaged: of the reason, where the file is not what it was.
        other: of the reason, where it may not be opened, or for any other.
    """
    match trouble_of(cause):
        case Trouble.FULL:
            return disk_is_full(file.parent, cause)
        case Trouble.BUSY:
            return is_busy(what, file, cause)
        case Trouble.DAMAGED:
            return damaged(reason_of(cause))
        case _:
            return other(reason_of(cause))


def is_busy(what: str, file: object, cause: Exception) -> RetryableError:
    """Another process writes, and takes its time.

    Args:
        what: the file holds, with its verb: ``the memory is``.
    """
    return RetryableError(
        "T098", f"{what} busy", where=str(file), got=reason_of(cause), fix="try again in a moment"
    )
