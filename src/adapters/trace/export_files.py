"""Files that are exported: private, and there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import Path

from ...domain.errors import CeselloError, RetryableError, StorageError, UsageError


def check_free(place: Path, *, overwrite: bool) -> None:
    """Raises UsageError C163 where something is there that would be lost."""
    taken = any(place.iterdir()) if place.is_dir() else place.exists() or place.is_symlink()
    if taken and not overwrite:
        raise UsageError(
            "C163", "something is there already", where=str(place), fix="name another, or add --overwrite"
        )


@contextmanager
def whole_file(place: Path) -> Iterator[Path]:
    """A file beside the place to write to; it takes the place when nothing went wrong.

    Raises:
        StorageError: I093. RetryableError: T075 when the disk is full.
    """
    partial = place.with_name(f".{place.name}.partial")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        os.close(os.open(partial, flags, 0o600))
        partial.chmod(0o600)
        yield partial
        partial.replace(place)
    except OSError as cause:
        raise _explained(place, cause) from cause
    finally:
        with suppress(OSError):
            partial.unlink()


def _explained(place: Path, cause: OSError) -> CeselloError:
    if cause.errno in (ENOSPC, EDQUOT, EFBIG):
        return RetryableError(
            "T075", "the disk is full", where=str(place), got=str(cause),
            fix="free some space and run the command again; nothing half-written was kept",
        )  # fmt: skip
    return StorageError(
        "I093", "an export cannot be written", where=str(place), got=str(cause),
        fix="name a place that can be written",
    )  # fmt: skip
