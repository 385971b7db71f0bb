"""Writing a file so that nobody ever sees half of it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ...domain.errors import StorageError
from .problems import printable

PUBLIC, PRIVATE = 0o666, 0o600
"""Modes before the umask: of what is meant to be shared, and of what holds data."""


def write_atomically(path: Path, text: str, mode: int = PUBLIC) -> None:
    """Writes beside the file, then takes its place; missing folders are made.

    Raises:
        StorageError: I010 when it cannot be written; what was there before is still there.
    """
    temporary = path.parent / f".{path.name}.{os.getpid()}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_durably(temporary, text.encode(), mode)
        temporary.replace(path)
    except OSError as cause:
        with suppress(OSError):
            temporary.unlink()
        raise StorageError(
            "I010",
            f"the file cannot be written: {printable(cause.strerror or str(cause))}",
            where=printable(str(path)),
            fix="check the folder, its permissions and the room left",
        ) from cause


def _write_durably(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
