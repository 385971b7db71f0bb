"""One log of a run, read on from where it was left, while another process writes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...domain.errors import StorageError

_BLOCK = 1 << 16
_LONGEST = 1 << 24
"""Bytes of a line that is read; a longer one is none of ours."""

_REMEMBERED = 64
"""Bytes before the place that was reached, to see whether they are still the same."""


class LogTail:
    """Remembers how far it has read.

    Args:
        file: it need not be there yet.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset = 0
        self._before = b""

    def was_cut(self) -> bool:
        """Whether what was read is not there any more: the log was cut back, or is another one."""
        if not self._offset:
            return False
        try:
            with self._file.open("rb") as log:
                log.seek(self._offset - len(self._before))
                return log.read(len(self._before)) != self._before
        except FileNotFoundError:
            return True
        except OSError as cause:
            raise _unreadable(self._file, cause) from cause

    def rewind(self) -> None:
        """Reads from the beginning again."""
        self._offset, self._before = 0, b""

    def lines(self) -> Iterator[Mapping[str, Any]]:
        """Whole ones that were not read yet."""
        if not self._file.is_file():  # a pipe of that name would never end
            return
        try:
            with self._file.open("rb") as log:
                log.seek(self._offset)
                for line in _whole_lines(log.read):
                    self._offset += len(line)
                    self._before = (self._before + line)[-_REMEMBERED:]
                    if (values := parsed(line)) is not None:
                        yield values
        except OSError as cause:
            raise _unreadable(self._file, cause) from cause

    def written(self) -> float | None:
        """When, as the file's time has it; None where there is no file."""
        try:
            return self._file.stat().st_mtime
        except OSError:
            return None


def parsed(line: bytes) -> Mapping[str, Any] | None:
    """The object that a line is; None where it is anything else."""
    if len(line) > _LONGEST:
        return None
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _whole_lines(read: Any) -> Iterator[bytes]:
    """With their ends. Of one that is too long only that it was there, in pieces."""
    rest = b""
    while block := read(_BLOCK):
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            yield line + b"\n"
        if len(rest) > _LONGEST:
            yield rest
            rest = b""


def _unreadable(file: Path, cause: Exception) -> StorageError:
    return StorageError(
        "I003",
        "a log of the run cannot be read",
        where=str(file),
        got=str(cause),
        fix="see whether the disk is well, and who may read the file",
    )
