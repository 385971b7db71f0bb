"""One writer at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ...domain.errors import RetryableError
from .own_files import refuse_links

_PATIENCE = 1.0
"""Seconds to wait for another writer, who may be about to end."""


@contextmanager
def writer_lease(folder: Path) -> Iterator[None]:
    """The right to write, which a process that dies gives back.

    Raises:
        RetryableError: T083 when another process has it. StoreError: S017.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / "writer.lock"
    refuse_links([file])
    lock = FileLock(file, timeout=_PATIENCE, mode=0o600)
    try:
        lock.acquire()
    except Timeout as cause:
        raise RetryableError(
            "T083",
            "another process is writing this memory",
            where=str(folder),
            fix="wait until it is done (or stop its `cesello remember --watch`), then run the command again",
        ) from cause
    try:
        yield
    finally:
        lock.release()
