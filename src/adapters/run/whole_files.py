"""Files and folders that nobody else reads, written so that nothing half-done looks whole."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...domain.errors import CeselloError, RetryableError, StorageError


def write_whole(path: Path, text: str) -> None:
    """Writes a file of mode 0600 in one piece: a reader sees the old text or the new, never a part."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with private(partial, os.O_TRUNC) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def private(path: Path, mode: int) -> Iterator[Any]:
    """A file of mode 0600, opened to be written."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | mode, 0o600), "w", encoding="utf-8") as file:
        yield file


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
