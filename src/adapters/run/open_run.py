"""The folder of one run while this process writes it: locked, private, nothing in it half-done."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ...domain.checkpoint import LogMark
from ...domain.errors import RetryableError
from ...domain.run import RunManifest, Sample
from ...domain.secret_text import Redact, redacted
from .folder_checkpoints import FolderCheckpoints
from .plain_json import finite
from .run_logs import RunLogs
from .run_seal import seal
from .whole_files import discard, sealed, sync, write_whole, writing_run

MANIFEST = "manifest.json"
RECIPE = "recipe.yaml"
WEIGHTS = "lora"
LOCK = ".lock"
_PATIENCE = 0.2
"""Seconds. `cesello runs list` holds a lock for a moment, to see whether anybody does."""


class OpenRun:
    """The folder of a run that this process writes; locked against another.

    Args:
        redact: takes secrets out of the sentence that ended the run; it may quote a library or own code.
    """

    def __init__(self, path: Path, redact: Redact = redacted) -> None:
        self._path = path
        self._redact = redact
        self._logs = RunLogs(path)
        self._checkpoints = FolderCheckpoints(path / "checkpoints")
        self._lock = FileLock(path / LOCK, timeout=_PATIENCE)
        try:
            self._lock.acquire()
        except Timeout as cause:
            raise RetryableError(
                "T074",
                "another process writes this run",
                where=str(path),
                fix="wait for it to end",
            ) from cause

    @property
    def id(self) -> str:
        return self._path.name

    @property
    def path(self) -> Path:
        return self._path

    @property
    def checkpoints(self) -> FolderCheckpoints:
        return self._checkpoints

    def write_manifest(self, manifest: RunManifest) -> None:
        if manifest.error:
            manifest = dataclasses.replace(manifest, error=self._redact(manifest.error))
        text = json.dumps(finite(dataclasses.asdict(manifest)), ensure_ascii=False, indent=2)
        with writing_run(self._path):
            write_whole(self._path / MANIFEST, text + "\n")

    def write_recipe(self, recipe: str) -> None:
        with writing_run(self._path):
            write_whole(self._path / RECIPE, recipe)

    def write_text(self, name: str, text: str) -> None:
        with writing_run(self._path):
            write_whole(self._path / name, text)

    def read_text(self, name: str) -> str | None:
        try:
            with writing_run(self._path):
                return (self._path / name).read_bytes().decode() if (self._path / name).is_file() else None
        except UnicodeDecodeError:
            return None

    def append(self, log: str, line: Mapping[str, Any]) -> None:
        self._logs.append(log, line)

    def lines(self, log: str) -> Iterator[Mapping[str, Any]]:
        return self._logs.lines(log)

    def mark_logs(self) -> Mapping[str, LogMark]:
        return self._logs.mark()

    def cut_logs(self, marks: Mapping[str, LogMark]) -> None:
        self._logs.cut(marks)

    def seal(self) -> Mapping[str, str]:
        with writing_run(self._path):
            return seal(self._path)

    def write_samples(self, when: str, samples: Sequence[Sample]) -> None:
        lines = [json.dumps(dataclasses.asdict(sample), ensure_ascii=False) + "\n" for sample in samples]
        with writing_run(self._path):
            write_whole(self._path / f"samples-{when}.jsonl", "".join(lines))

    def write_batch(self, step: int, rows: Sequence[Mapping[str, Any]]) -> Path:
        """In ASCII: rows that went wrong may hold what is no text."""
        folder = self._path / "bad-batches"
        file = folder / f"step-{step:08d}.jsonl"
        with writing_run(self._path):
            folder.mkdir(mode=0o700, exist_ok=True)
            write_whole(file, "".join(json.dumps(dict(row)) + "\n" for row in rows))
        return file

    def save_weights(self, save: Callable[[Path], None], card: str) -> Mapping[str, str]:
        partial = self._path / f".{WEIGHTS}.partial"
        try:
            with writing_run(self._path):
                discard(partial)
                partial.mkdir(mode=0o700)
                save(partial)
                write_whole(partial / "README.md", card)
                digests = {file.name: sealed(file) for file in sorted(partial.iterdir())}
                sync(partial)
                discard(self._path / WEIGHTS)
                partial.rename(self._path / WEIGHTS)
                sync(self._path)
        finally:
            discard(partial)
        return digests

    def close(self) -> None:
        self._lock.release()
