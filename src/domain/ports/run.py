"""Where runs are kept, how they are watched, and how they are asked to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..checkpoint import Checkpoint, CheckpointPlan, CheckpointState, LogMark
from ..recorded_run import RecordedRun
from ..run import RunManifest, RunSummary, Sample
from ..schedule import StepReport


class Checkpoints(Protocol):
    """The checkpoints of one run: whole and as they were written, or not there."""

    def save(self, state: CheckpointState, write: Callable[[Path], None], plan: CheckpointPlan) -> None:
        """Adds the checkpoint of ``state.step`` and removes those that the plan does not keep.

        When this returns the checkpoint outlasts a power cut; when it raises, or the process is killed, the
        checkpoints of before are as they were. One of the same step is replaced.

        Args:
            write: puts the tensors, as safetensors, into the folder it is given.

        Raises:
            RetryableError: T075 when the disk is full. StorageError: I003 when it cannot be written.
        """
        ...

    def newest(self) -> tuple[Checkpoint | None, Sequence[str]]:
        """The newest checkpoint that is whole, and a sentence about every newer one that is not."""
        ...

    def best(self) -> Checkpoint | None:
        """The whole one with the lowest held-out loss; the newest where none was measured."""
        ...

    def check_room(self, size: int, plan: CheckpointPlan) -> None:
        """Raises RetryableError T076 when the disk has no room for all that is kept, ``size`` bytes each."""
        ...


class RunFolder(Protocol):
    """The folder of one run, locked while it is written."""

    @property
    def id(self) -> str: ...

    @property
    def path(self) -> Path: ...

    def write_manifest(self, manifest: RunManifest) -> None:
        """Replaces ``manifest.json`` in one piece."""
        ...

    def write_recipe(self, recipe: str) -> None:
        """Replaces ``recipe.yaml`` in one piece."""
        ...

    @property
    def checkpoints(self) -> Checkpoints: ...

    def write_text(self, name: str, text: str) -> None:
        """Replaces a file of the folder's own level in one piece."""
        ...

    def read_text(self, name: str) -> str | None:
        """What is in such a file; None where there is none, or no text in it.

        Raises:
            StorageError: I003 when it cannot be read.
        """
        ...

    def append(self, log: str, line: Mapping[str, Any]) -> None:
        """Adds a line to ``<log>.jsonl``: metrics, timings, evaluations."""
        ...

    def lines(self, log: str) -> Iterable[Mapping[str, Any]]:
        """What was added to ``<log>.jsonl``, by this process or one before it; none where there is no log.

        Raises:
            StorageError: I003 when it cannot be read.
        """
        ...

    def mark_logs(self) -> Mapping[str, LogMark]:
        """Brings all logs to the disk, and tells how long they are."""
        ...

    def cut_logs(self, marks: Mapping[str, LogMark]) -> None:
        """Takes away what was written after the marks; a log without a mark becomes empty.

        Raises:
            StorageError: I041 when what comes before a mark is not as it was.
        """
        ...

    def seal(self) -> Mapping[str, str]:
        """sha256 of every file that the run has written and will write no more, by path from its folder.

        Weights, recipe and manifest are not among them; of a checkpoint it is the list of its files. What has
        a name here and nothing beside it is not looked at: folders of loggers, databases.

        Raises:
            StorageError: I003 when it cannot be read.
        """
        ...

    def write_samples(self, when: str, samples: Sequence[Sample]) -> None:
        """Writes ``samples-<when>.jsonl``: before, after, or step-00000100."""
        ...

    def write_batch(self, step: int, rows: Sequence[Mapping[str, Any]]) -> Path:
        """Keeps the rows of a step that went wrong, in ``bad-batches/step-<step>.jsonl``, to be looked at."""
        ...

    def save_weights(self, save: Callable[[Path], None], card: str) -> Mapping[str, str]:
        """Fills ``lora/`` through ``save`` and puts it in place whole or not at all.

        Returns:
            sha256 of every file, by name.

        Raises:
            RetryableError: T075 when the disk is full. StorageError: I003 when it cannot be written.
        """
        ...

    def close(self) -> None:
        """Gives the lock back."""
        ...


class RunStore(Protocol):
    """All runs of a project."""

    def create(self, name: str, recipe: str, *, run: str | None = None, overwrite: bool = False) -> RunFolder:
        """A new, locked folder with the resolved recipe in it.

        Args:
            run: the id, where it is not made of the time and the name.
            overwrite: a run of that id is removed first.

        Raises:
            RetryableError: T074 when another process writes that run. UsageError: C060 when there is a run of
                that id, or a folder that is no run.
        """
        ...

    def check_unused(self, run: str, *, overwrite: bool = False) -> None:
        """Raises UsageError C060 when there is a run, or any folder, of that id, C061 when it can be none.

        Args:
            overwrite: a run may be there, but nothing else.
        """
        ...

    def reopen(self, run: str) -> RunFolder:
        """The folder of a run that is gone on with, locked.

        Raises:
            DataError: D030 when there is none. RetryableError: T074 when another process writes it.
        """
        ...

    def list(self) -> tuple[RunSummary, ...]:
        """Every run, newest first."""
        ...

    def find(self, run: str) -> RunSummary:
        """The run of that id, of that name (the newest), at that path, or ``latest``.

        Raises:
            DataError: D030 when there is none.
        """
        ...


class RunReader(Protocol):
    """Reads what a run's folder holds, whoever wrote it, also while it is written."""

    def read(self, run: RunSummary) -> RecordedRun:
        """All that can be shown. What is damaged is left out, and said."""
        ...

    def held_out(self, run: RunSummary) -> RecordedRun:
        """Of that what tells which prompts the run holds out: their digests, and the samples."""
        ...


class Stop(Protocol):
    """Whether a person asked the program to stop."""

    @property
    def requested(self) -> int | None:
        """The number of the signal that asked, once all processes that share the work know of it; or None."""
        ...

    @property
    def heard(self) -> int | None:
        """The signal that this process was sent."""
        ...

    def agree(self, number: int | None) -> None:
        """All processes know of the signal now."""
        ...

    def check(self) -> None:
        """Raises Interrupted when a stop is requested; called at safe points of long work."""
        ...


class Observer(Protocol):
    """Is told how a run goes, so that a person can watch it."""

    def phase(self, name: str, total: int | None = None, done: int = 0) -> None:
        """A phase begins, of ``total`` units where that is known, ``done`` of them before; the last ends."""
        ...

    def advance(self, count: int = 1) -> None:
        """So many units of the phase are done."""
        ...

    def step(self, report: StepReport) -> None:
        """An optimizer step is done."""
        ...

    def note(self, text: str) -> None:
        """A sentence worth reading."""
        ...


class Clock(Protocol):
    """What time it is."""

    def now(self) -> str:
        """ISO 8601 in UTC, to the second."""
        ...
