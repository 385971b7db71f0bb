"""Runs as folders: JSON and safetensors that other tools read, written so that nothing half-done looks whole.

runs/<id>/manifest.json  recipe.yaml  metrics.jsonl  samples-before.jsonl  samples-after.jsonl  lora/
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ...domain.errors import DataError, RetryableError, StorageError
from ...domain.run import RunManifest, RunStatus, RunSummary, Sample
from .whole_files import private, sealed, sync, write_whole, writing

MANIFEST = "manifest.json"
WEIGHTS = "lora"


class FolderRunStore:
    """All runs below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, name: str, recipe: str) -> OpenRun:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        with _writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._new_folder(f"{stamp}-{name}")
            run = OpenRun(path)
            write_whole(path / "recipe.yaml", recipe)
        return run

    def _new_folder(self, wanted: str) -> Path:
        """A folder of that name, or with a number behind it when two runs begin in the same second."""
        for number in range(1, 1000):
            path = self._folder / (wanted if number == 1 else f"{wanted}-{number}")
            try:
                path.mkdir(mode=0o700)
            except FileExistsError:
                continue
            return path
        raise RetryableError(
            "T073",
            "too many runs begin in one second",
            where=str(self._folder),
            fix="try again",
        )

    def list(self) -> tuple[RunSummary, ...]:
        if not self._folder.is_dir():
            return ()
        found = [summary for path in self._folder.iterdir() if (summary := _summary(path))]
        return tuple(sorted(found, key=lambda run: run.id, reverse=True))

    def find(self, run: str) -> RunSummary:
        at_path = _summary(Path(run))
        runs = [at_path] if at_path else [r for r in self.list() if run in (r.id, r.name, "latest")]
        if runs:
            return runs[0]
        known = ", ".join(r.id for r in self.list()[:5]) or "none yet"
        raise DataError(
            "D030",
            f'there is no run "{run}"',
            where=str(self._folder),
            expected=f"one of: {known}",
            fix="see `cesello runs list`",
        )


class OpenRun:
    """The folder of a run that this process writes; locked against another."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(path / ".lock", timeout=0)
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

    def write_manifest(self, manifest: RunManifest) -> None:
        text = json.dumps(dataclasses.asdict(manifest), ensure_ascii=False, indent=2)
        with _writing(self._path):
            write_whole(self._path / MANIFEST, text + "\n")

    def append_metrics(self, metrics: Mapping[str, Any]) -> None:
        with (
            _writing(self._path),
            private(self._path / "metrics.jsonl", os.O_APPEND) as file,
        ):
            file.write(json.dumps(metrics) + "\n")

    def write_samples(self, when: str, samples: Sequence[Sample]) -> None:
        lines = [json.dumps(dataclasses.asdict(sample), ensure_ascii=False) + "\n" for sample in samples]
        with _writing(self._path):
            write_whole(self._path / f"samples-{when}.jsonl", "".join(lines))

    def save_weights(self, save: Callable[[Path], None], card: str) -> Mapping[str, str]:
        partial = self._path / f".{WEIGHTS}.partial"
        try:
            with _writing(self._path):
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir(mode=0o700)
                save(partial)
                write_whole(partial / "README.md", card)
                digests = {file.name: sealed(file) for file in sorted(partial.iterdir())}
                sync(partial)
                shutil.rmtree(self._path / WEIGHTS, ignore_errors=True)
                partial.rename(self._path / WEIGHTS)
                sync(self._path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return digests

    def close(self) -> None:
        self._lock.release()


def _writing(where: Path) -> AbstractContextManager[None]:
    return writing(
        where,
        StorageError("I003", "a run cannot be written", fix="set output to a folder that can be written"),
    )


_SHOWN = {"algorithm", "finished", "seconds", "seed"}
"""Keys that every manifest of a run has, besides those of its summary."""


def _summary(path: Path) -> RunSummary | None:
    """What a folder tells of its run; None where it holds no readable manifest."""
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        if not isinstance(manifest["id"], str) or not manifest.keys() >= _SHOWN:
            return None
        return RunSummary(
            id=manifest["id"],
            name=manifest["name"],
            status=_status(path, RunStatus(manifest["status"])),
            started=manifest["started"],
            model=(manifest.get("model") or {}).get("name"),
            steps=manifest["steps"],
            planned_steps=manifest["planned_steps"],
            path=str(path),
            manifest=manifest,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _status(path: Path, written: RunStatus) -> RunStatus:
    """The status as written, but a run that says it is running while nobody holds its lock was killed."""
    if written is not RunStatus.RUNNING:
        return written
    lock = FileLock(path / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return RunStatus.RUNNING
    lock.release()
    return RunStatus.FAILED
