"""The files of a run as they lie there now, whatever was done to them since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..checkpoint import LogMark
from ..run_verification import StoredCheckpoint


class RunFiles(Protocol):
    """Reads what it is asked for, follows no link, and raises for nothing that a run may hold.

    Every method raises StorageError I003 when the disk does not tell.
    """

    def digests(self, folder: Path) -> Mapping[str, str]:
        """sha256 of every file below a folder, by path from there; empty where there is no such folder.

        What is no regular file has no digest: ``no regular file`` stands there.
        """
        ...

    def seal(self, run: Path) -> Mapping[str, str]:
        """As ``RunFolder.seal`` told it, by what is there now."""
        ...

    def content(self, file: Path) -> bytes | None:
        """Of a regular file of at most a megabyte; None where there is none."""
        ...

    def lines(self, run: Path, log: str) -> Sequence[Mapping[str, Any]] | None:
        """Of ``<log>.jsonl``; None where it is not there, or holds anything but objects of JSON."""
        ...

    def checkpoints(self, run: Path) -> Sequence[StoredCheckpoint]:
        """All of them, every byte looked at, the oldest first."""
        ...

    def log_changes(self, run: Path, marks: Mapping[str, LogMark]) -> Sequence[str]:
        """A sentence for each log that is not as it was when it was marked; what came later may differ."""
        ...
