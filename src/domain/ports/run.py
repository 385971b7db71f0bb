"""Where runs are kept, how they are watched, and how they are asked to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..run import RunManifest, RunSummary, Sample
from ..schedule import StepReport


class RunFolder(Protocol):
    """The folder of one run, locked while it is written."""

    @property
    def id(self) -> str: ...

    @property
    def path(self) -> Path: ...

    def write_manifest(self, manifest: RunManifest) -> None:
        """Replaces ``manifest.json`` in one piece."""
        ...

    def append_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Adds a line to ``metrics.jsonl``."""
        ...

    def write_samples(self, when: str, samples: Sequence[Sample]) -> None:
        """Writes ``samples-before.jsonl`` or ``samples-after.jsonl``."""
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

    def create(self, name: str, recipe: str) -> RunFolder:
        """A new, locked folder with the resolved recipe in it."""
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


class Stop(Protocol):
    """Whether a person asked the program to stop."""

    @property
    def requested(self) -> int | None:
        """The number of the signal that asked, or None."""
        ...

    def check(self) -> None:
        """Raises Interrupted when a stop is requested; called at safe points of long work."""
        ...


class Observer(Protocol):
    """Is told how a run goes, so that a person can watch it."""

    def phase(self, name: str, total: int | None = None) -> None:
        """A phase begins, of ``total`` units where that is known; it ends the one before."""
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
