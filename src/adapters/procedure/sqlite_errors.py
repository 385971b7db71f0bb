"""What SQLite's errors mean to a person, whichever file of procedures they are about."""

from __future__ import annotations

from collections.abc import Callable
from errno import EACCES, EIO, ENOSPC
from pathlib import Path

from ...domain.database_trouble import Trouble, is_busy, trouble_of
from ...domain.errors import CeselloError
from .safe_files import refused


def meaning(
    file: Path, cause: Exception, what: str, damaged: Callable[[Path, str], CeselloError]
) -> CeselloError:
    """A full disk, a file that may not be opened or is busy, or a damaged one.

    Args:
        what: the file holds.
        damaged: the error of a file that is none of ours any more.
    """
    trouble = trouble_of(cause)
    if trouble is Trouble.BUSY:
        return is_busy(what, file, cause)
    if trouble in _NUMBERS:
        return refused(file, OSError(_NUMBERS[trouble], str(cause)))
    return damaged(file, str(cause))


_NUMBERS = {Trouble.FULL: ENOSPC, Trouble.DISK: EIO, Trouble.REFUSED: EACCES}
