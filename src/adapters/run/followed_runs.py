"""Runs as a process sees them that shares the work of a training whose folder another process writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...domain.checkpoint import Checkpoint, CheckpointPlan, CheckpointState, LogMark
from ...domain.run import RunManifest, RunSummary, Sample
from .folder_checkpoints import FolderCheckpoints
from .folder_run_store import FolderRunStore


class FollowedRuns:
    """Finds runs, and writes nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs = FolderRunStore(folder)

    def create(
        self, name: str, recipe: str, *, run: str | None = None, overwrite: bool = False
    ) -> FollowedRun:
        return FollowedRun(self._folder / (run or name), anew=True)

    def check_unused(self, run: str, *, overwrite: bool = False) -> None:
        """The process that writes does."""

    def reopen(self, run: str) -> FollowedRun:
        return FollowedRun(Path(self._runs.find(run).path))

    def list(self) -> tuple[RunSummary, ...]:
        return self._runs.list()

    def find(self, run: str) -> RunSummary:
        return self._runs.find(run)


class FollowedRun:
    """The folder of a run that another process writes."""

    def __init__(self, path: Path, *, anew: bool = False) -> None:
        self.path = path
        self.id = path.name
        self.checkpoints = FollowedCheckpoints(path / "checkpoints", anew=anew)

    def write_manifest(self, manifest: RunManifest) -> None:
        """Nothing."""

    def write_recipe(self, recipe: str) -> None:
        """Nothing."""

    def write_text(self, name: str, text: str) -> None:
        """Nothing."""

    def read_text(self, name: str) -> str | None:
        """The process that writes them reads them."""
        return None

    def append(self, log: str, line: Mapping[str, Any]) -> None:
        """Nothing."""

    def lines(self, log: str) -> Sequence[Mapping[str, Any]]:
        """The process that writes them reads them."""
        return ()

    def mark_logs(self) -> Mapping[str, LogMark]:
        return {}

    def cut_logs(self, marks: Mapping[str, LogMark]) -> None:
        """Nothing."""

    def seal(self) -> Mapping[str, str]:
        return {}

    def write_samples(self, when: str, samples: Sequence[Sample]) -> None:
        """Nothing."""

    def write_batch(self, step: int, rows: Sequence[Mapping[str, Any]]) -> Path:
        return self.path / "bad-batches" / f"step-{step:08d}.jsonl"

    def save_weights(self, save: Callable[[Path], None], card: str) -> Mapping[str, str]:
        _take_part(save)
        return {}

    def close(self) -> None:
        """Nothing is open."""


class FollowedCheckpoints:
    """Reads checkpoints, and writes none.

    Args:
        anew: the run begins, so that what another process finds there, or removes, is no matter.
    """

    def __init__(self, folder: Path, *, anew: bool) -> None:
        self._folder = folder
        self._checkpoints = FolderCheckpoints(folder)
        self._anew = anew

    def save(self, state: CheckpointState, write: Callable[[Path], None], plan: CheckpointPlan) -> None:
        _take_part(write)

    def newest(self) -> tuple[Checkpoint | None, Sequence[str]]:
        return (None, ()) if self._anew else self._checkpoints.newest()

    def best(self) -> Checkpoint | None:
        """One that the process that writes will read, and give to the others."""
        return Checkpoint(self._folder, CheckpointState(-1, None, {}, {}))

    def check_room(self, size: int, plan: CheckpointPlan) -> None:
        """The process that writes does."""


def _take_part(write: Callable[[Path], None]) -> None:
    """Weights that are spread over processes are gathered by all of them.

    A checkpoint that is copied may be replaced by the process that writes just now: nothing is missed here.
    """
    with TemporaryDirectory() as nowhere, suppress(FileNotFoundError):
        write(Path(nowhere))
