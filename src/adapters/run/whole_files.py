"""Files and folders that nobody else reads, written so that nothing half-done looks whole."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from ...domain.errors import CeselloError, RetryableError, StorageError


def write_whole(path: Path, text: str) -> None:
    """Writes a file of mode 0600 in one piece: a reader sees the old text or the new, never a part."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        write_through(partial, text.encode("utf-8"))
        partial.replace(path)
        sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def write_through(path: Path, content: bytes) -> None:
    """Writes a file of mode 0600 and brings it to the disk."""
    with _private(path, os.O_TRUNC) as descriptor:
        _write_all(descriptor, content)
        os.fsync(descriptor)


def append_line(path: Path, line: bytes) -> None:
    """Adds to a file of mode 0600 all of a line or, where the disk takes but a part of it, nothing."""
    with _private(path, os.O_APPEND) as descriptor:
        before = os.fstat(descriptor).st_size
        try:
            _write_all(descriptor, line)
        except OSError:
            os.ftruncate(descriptor, before)
            raise


@contextmanager
def _private(path: Path, mode: int) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | mode, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sealed(file: Path) -> str:
    """Makes a file private, brings it to the disk, and tells its sha256."""
    file.chmod(0o600)
    sync(file)
    return sha256_of(file)


def sha256_of(file: Path) -> str:
    """Of a file's content."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Brings a file's content, or a folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def discard(folder: Path) -> None:
    """Removes what it can of a folder that nobody reads."""
    with suppress(OSError):  # `ignore_errors` does not mean those of closing.
        shutil.rmtree(folder, ignore_errors=True)


_FULL = re.compile("no space left|disk quota|file too large", re.IGNORECASE)


@contextmanager
def writing(where: Path, refused: StorageError) -> Iterator[None]:
    """Failures of the disk in our form; safetensors reports a full disk in an error of its own.

    Args:
        refused: what is raised, with place and cause, when the disk takes nothing there.
    """
    try:
        yield
    except CeselloError:
        raise
    except Exception as cause:
        number = getattr(cause, "errno", None)
        if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or _FULL.search(str(cause)):
            raise RetryableError(
                "T075", "the disk is full", where=str(where), got=str(cause),
                fix="free some space and run the command again; nothing half-written was kept",
            ) from cause  # fmt: skip
        if isinstance(cause, OSError):
            refused.where, refused.got = str(where), str(cause)
            raise refused from cause
        raise


def writing_run(where: Path) -> AbstractContextManager[None]:
    """As ``writing``, for what belongs to a run."""
    return writing(
        where,
        StorageError("I003", "a run cannot be written", fix="set output to a folder that can be written"),
    )
