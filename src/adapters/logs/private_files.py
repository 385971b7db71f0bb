"""Files that nobody else reads."""

from __future__ import annotations

import os
from pathlib import Path


def append_private(path: Path, content: bytes) -> None:
    """Adds to a file, of mode 0600 from its first moment on. It is not held open, so that nothing leaks."""
    _write(path, "ab", content)


def write_private(path: Path, content: bytes) -> None:
    """Replaces a file in one piece: a reader sees the old content or the new, never a part."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        _write(partial, "wb", content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _write(path: Path, mode: str, content: bytes) -> None:
    with open(path, mode, opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o600)) as file:
        file.write(content)
