"""Runs in memory, and what watches, stops and times them."""

from __future__ import annotations

import dataclasses
import errno
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cesello.domain.errors import DataError, Interrupted, RetryableError, StorageError
from cesello.domain.run import RunManifest, RunStatus, RunSummary, Sample
from cesello.domain.schedule import StepReport


@dataclass
class FakeRunFolder:
    """What was written to a run.

    Attributes:
        manifests: every manifest, in order.
        weights: file name -> content; None while there are none.
    """

    id: str
    path: Path
    recipe: str
    manifests: list[RunManifest] = field(default_factory=list)
    metrics: list[Mapping[str, Any]] = field(default_factory=list)
    samples: dict[str, tuple[Sample, ...]] = field(default_factory=dict)
    weights: dict[str, bytes] | None = None
    closed: bool = False

    def write_manifest(self, manifest: RunManifest) -> None:
        self.manifests.append(manifest)

    def append_metrics(self, metrics: Mapping[str, Any]) -> None:
        self.metrics.append(dict(metrics))

    def write_samples(self, when: str, samples: Sequence[Sample]) -> None:
        self.samples[when] = tuple(samples)

    def save_weights(self, save: Callable[[Path], None], card: str) -> Mapping[str, str]:
        with TemporaryDirectory() as name:
            folder = Path(name)
            try:
                save(folder)
            except OSError as cause:
                raise self._explained(cause) from cause
            (folder / "README.md").write_text(card, encoding="utf-8")
            self.weights = {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
        return {file: sha256(content).hexdigest() for file, content in self.weights.items()}

    def _explained(self, cause: OSError) -> RetryableError | StorageError:
        if cause.errno == errno.ENOSPC:
            return RetryableError("T075", "the disk is full", where=str(self.path), fix="free some space")
        return StorageError("I003", "a run cannot be written", where=str(self.path), fix="set output")

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeRunStore:
    """Keeps runs in the order they were made."""

    runs: list[FakeRunFolder] = field(default_factory=list)

    def create(self, name: str, recipe: str) -> FakeRunFolder:
        id_ = f"{len(self.runs):04d}-{name}"
        self.runs.append(FakeRunFolder(id_, Path("memory") / id_, recipe))
        return self.runs[-1]

    def list(self) -> tuple[RunSummary, ...]:
        return tuple(_summary(run) for run in reversed(self.runs) if run.manifests)

    def find(self, run: str) -> RunSummary:
        found = [one for one in self.list() if run in (one.id, one.name, one.path, "latest")]
        if not found:
            raise DataError("D030", f'there is no run "{run}"', fix="see `cesello runs list`")
        return found[0]


def _summary(run: FakeRunFolder) -> RunSummary:
    manifest = run.manifests[-1]
    killed = manifest.status is RunStatus.RUNNING and run.closed
    return RunSummary(
        id=manifest.id,
        name=manifest.name,
        status=RunStatus.FAILED if killed else manifest.status,
        started=manifest.started,
        model=manifest.model.name if manifest.model else None,
        steps=manifest.steps,
        planned_steps=manifest.planned_steps,
        path=str(run.path),
        manifest=dataclasses.asdict(manifest),
    )


@dataclass
class FakeStop:
    """Asks to stop when told, or at the check of that number.

    Attributes:
        at_check: the first check that raises, from 1.
        checks: how often it was asked.
    """

    signal_number: int = 2
    at_check: int | None = None
    requested: int | None = None
    checks: int = 0

    def ask(self) -> None:
        self.requested = self.signal_number

    def check(self) -> None:
        self.checks += 1
        if self.checks == self.at_check:
            self.ask()
        if self.requested is not None:
            raise Interrupted(self.requested, "stopped as the test wanted")


@dataclass
class RecordingObserver:
    """Keeps what it is told; ``done`` counts the units of every phase.

    Attributes:
        on_phase: called with the name of every phase, so that a test can step in.
    """

    phases: list[tuple[str, int | None]] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    steps: list[StepReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    on_phase: Callable[[str], None] = lambda name: None

    def phase(self, name: str, total: int | None = None) -> None:
        self.phases.append((name, total))
        self.done.append(0)
        self.on_phase(name)

    def advance(self, count: int = 1) -> None:
        self.done[-1] += count

    def step(self, report: StepReport) -> None:
        self.steps.append(report)
        self.done[-1] += 1

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class FixedClock:
    """It is always the same time."""

    time: str = "2026-01-02T03:04:05+00:00"

    def now(self) -> str:
        return self.time
