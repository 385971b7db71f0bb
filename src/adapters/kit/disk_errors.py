"""What the operating system says of a disk, in our form."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...domain.errors import CeselloError, RetryableError, StorageError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def explained(place: Path) -> Iterator[None]:
    """Translate the OSErrors of the block; ``place`` is named when the error names no file itself."""
    try:
        yield
    except OSError as cause:
        raise _translated(cause, place) from cause


def _translated(cause: OSError, place: Path) -> CeselloError:
    where = str(cause.filename or place)
    if cause.errno in _NO_ROOM:
        return no_room(where, "no room left")
    return StorageError(
        "I086",
        "the offline kit's folder cannot be read or written",
        where=where,
        got=cause.strerror or str(cause),
        fix="give yourself the rights, or set CESELLO_HOME to a folder of yours",
    )


def no_room(where: str, got: str, expected: str | None = None) -> RetryableError:
    """The disk is full; what was installed before is untouched."""
    return RetryableError(
        "T080",
        "the disk has no room for the offline kit",
        where=where,
        got=got,
        expected=expected,
        fix="make room, or set CESELLO_HOME to another disk, then run `cesello kit install` again",
    )
