"""A log that grows: what is new in it since it was read last, and whether what was read is still there."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

_BLOCK = 1 << 20
_SETTLED = 2_000_000_000
"""Nanoseconds after which a file's time tells every later change, even where times are whole seconds."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How much of a file was read.

    Attributes:
        size: bytes, whole lines.
        changed: its time of modification, nanoseconds; 0: it has to be looked at again.
        digest: sha256 of these bytes.
        damaged: how many lines of them could not be used.
    """

    size: int = 0
    changed: int = 0
    digest: str = sha256().hexdigest()
    damaged: int = 0


class Rewritten(Exception):
    """What was read before is no longer in the file."""


def is_unread(file: Path, mark: Mark) -> bool:
    """Whether there may be something to read, told by the file's size and time alone.

    Raises:
        OSError: when the disk does not tell.
    """
    try:
        now = file.lstat()
    except FileNotFoundError:
        return mark.size > 0
    return now.st_size != mark.size or now.st_mtime_ns != mark.changed


def new_parts(file: Path, mark: Mark, most: int) -> Iterator[tuple[list[bytes], Mark]]:
    """Whole lines behind the mark, and the mark behind them; what has no line end yet is left for next time.

    Args:
        most: bytes of a part, if no line is longer; a part is read when the one before was taken.

    Raises:
        Rewritten. OSError: when the disk does not tell, or there is no regular file.
    """
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        if mark.size:
            raise Rewritten from None
        return
    with open(handle, "rb") as opened:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{file.name} is no regular file")
        digest, left = sha256(), mark.size
        while left and (block := opened.read(min(left, _BLOCK))):
            digest.update(block)
            left -= len(block)
        if left or digest.hexdigest() != mark.digest:
            raise Rewritten
        settled = time.time_ns() - found.st_mtime_ns > _SETTLED
        # No further than it was long: what is appended meanwhile is of next time.
        size, left = mark.size, max(found.st_size - mark.size, 0)
        held: list[bytes] = []
        while True:
            block = opened.read(min(left, most))
            left = left - len(block) if block else 0
            held.append(block)
            if left and b"\n" not in block:
                continue
            content = b"".join(held)
            whole, rest = content[: content.rfind(b"\n") + 1], content[content.rfind(b"\n") + 1 :]
            held = [rest]
            digest.update(whole)
            size += len(whole)
            changed = found.st_mtime_ns if settled and not left else 0
            yield whole.split(b"\n")[:-1], Mark(size, changed, digest.hexdigest(), mark.damaged)
            if not left:
                return
