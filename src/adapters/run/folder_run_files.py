"""The files of a run's folder, read as they are: nothing is locked, mended or followed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import Any

from ...domain.checkpoint import LogMark
from ...domain.errors import StorageError
from ...domain.run_verification import StoredCheckpoint
from .checkpoint_form import Damaged, read
from .checkpoint_places import CheckpointPlaces
from .run_logs import RunLogs
from .run_seal import STRANGE, seal
from .whole_files import sha256_of

_LARGEST = 1 << 20


class FolderRunFiles:
    """Any folder can be a run's."""

    def digests(self, folder: Path) -> Mapping[str, str]:
        with _reading(folder):
            if folder.is_symlink() or not folder.is_dir():
                return {}
            files = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
            return {
                file.relative_to(folder).as_posix(): sha256_of(file) if _is_regular(file) else STRANGE
                for file in files
            }

    def seal(self, run: Path) -> Mapping[str, str]:
        with _reading(run):
            return seal(run)

    def content(self, file: Path) -> bytes | None:
        with _reading(file):
            if not _is_regular(file):
                return None
            with file.open("rb") as opened:
                return opened.read(_LARGEST)

    def lines(self, run: Path, log: str) -> Sequence[Mapping[str, Any]] | None:
        file = run / f"{log}.jsonl"
        with _reading(file):
            if not _is_regular(file):
                return None
            try:
                found = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
            except (ValueError, RecursionError):
                return None
        return found if all(isinstance(line, dict) for line in found) else None

    def checkpoints(self, run: Path) -> Sequence[StoredCheckpoint]:
        places = CheckpointPlaces(run / "checkpoints")
        with _reading(run / "checkpoints"):
            return [_stored(step, places.of(step)) for step in sorted(places.steps())]

    def log_changes(self, run: Path, marks: Mapping[str, LogMark]) -> Sequence[str]:
        with _reading(run):
            strange = [name for name in marks if (run / name).exists() and not _is_regular(run / name)]
            rest = {name: mark for name, mark in marks.items() if name not in strange}
            return [*(f"{name}: {STRANGE}" for name in strange), *RunLogs(run).changes(rest)]


def _stored(step: int, folder: Path) -> StoredCheckpoint:
    try:
        return StoredCheckpoint(folder.name, step, read(folder, step).state)
    except (Damaged, NotADirectoryError) as cause:
        return StoredCheckpoint(folder.name, step, None, str(cause))


def _is_regular(file: Path) -> bool:
    try:
        return S_ISREG(file.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


@contextmanager
def _reading(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        what, fix = "a run cannot be read", "see who may read its folder"
        raise StorageError("I003", what, where=str(where), got=str(cause), fix=fix) from cause
