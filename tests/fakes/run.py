"""Runs in memory, and what watches, stops and times them."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from cesello.domain.checkpoint import LogMark
from cesello.domain.errors import DataError, Interrupted, RetryableError, StorageError, UsageError
from cesello.domain.run import RunManifest, RunStatus, RunSummary, Sample
from cesello.domain.schedule import StepReport
from tests.fakes.checkpoints import FakeCheckpoints, written


@dataclass
class FakeRunFolder:
    """What was written to a run.

    Attributes:
        manifests: every manifest, in order.
        logs: the text of every log, by file name.
        batches: the rows that went wrong, by step.
        weights: file name -> content; None while there are none.
        texts: other files, by name.
    """

    id: str
    path: Path
    recipe: str
    manifests: list[RunManifest] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    samples: dict[str, tuple[Sample, ...]] = field(default_factory=dict)
    batches: dict[int, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    weights: dict[str, bytes] | None = None
    texts: dict[str, str] = field(default_factory=dict)
    checkpoints: FakeCheckpoints = field(default_factory=FakeCheckpoints)
    closed: bool = False

    @property
    def metrics(self) -> list[Mapping[str, Any]]:
        return self.lines("metrics")

    def lines(self, log: str) -> list[Mapping[str, Any]]:
        """What was added to a log."""
        return [json.loads(line) for line in self.logs.get(f"{log}.jsonl", "").splitlines()]

    def write_manifest(self, manifest: RunManifest) -> None:
        self.manifests.append(manifest)

    def write_recipe(self, recipe: str) -> None:
        self.recipe = recipe

    def write_text(self, name: str, text: str) -> None:
        self.texts[name] = text

    def read_text(self, name: str) -> str | None:
        return self.texts.get(name)

    def append(self, log: str, line: Mapping[str, Any]) -> None:
        name = f"{log}.jsonl"
        self.logs[name] = self.logs.get(name, "") + json.dumps(line) + "\n"

    def mark_logs(self) -> Mapping[str, LogMark]:
        return {name: _mark(text) for name, text in self.logs.items()}

    def cut_logs(self, marks: Mapping[str, LogMark]) -> None:
        for name, mark in marks.items():
            if _mark(self.logs.get(name, "")[: mark.size]) != mark:
                raise StorageError(
                    "I041", "a log of the run was changed since its checkpoint", where=str(self.path / name)
                )
        self.logs = {name: self.logs[name][: mark.size] for name, mark in marks.items()}

    def seal(self) -> Mapping[str, str]:
        return {name: _mark(text).sha256 for name, text in self.logs.items()}

    def write_samples(self, when: str, samples: Sequence[Sample]) -> None:
        self.samples[when] = tuple(samples)

    def write_batch(self, step: int, rows: Sequence[Mapping[str, Any]]) -> Path:
        self.batches[step] = tuple(rows)
        return self.path / "bad-batches" / f"step-{step:08d}.jsonl"

    def save_weights(self, save: Callable[[Path], None], card: str) -> Mapping[str, str]:
        self.weights = written(save, self.path, {"README.md": card})
        return {file: sha256(content).hexdigest() for file, content in self.weights.items()}

    def close(self) -> None:
        self.closed = True


def _mark(text: str) -> LogMark:
    return LogMark(len(text), sha256(text.encode("ascii")).hexdigest())


@dataclass
class FakeRunStore:
    """Keeps runs in the order they were made.

    Attributes:
        strange: names of folders that are no run's.
    """

    runs: list[FakeRunFolder] = field(default_factory=list)
    strange: set[str] = field(default_factory=set)
    made: int = 0

    def create(
        self, name: str, recipe: str, *, run: str | None = None, overwrite: bool = False
    ) -> FakeRunFolder:
        id_ = f"{self.made:04d}-{name}" if run is None else self._free(run, overwrite)
        self.made += 1
        path = Path("memory") / id_
        folder = FakeRunFolder(id_, path, recipe, checkpoints=FakeCheckpoints(path / "checkpoints"))
        self.runs.append(folder)
        return folder

    def check_unused(self, run: str, *, overwrite: bool = False) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", run) or run == "latest":
            raise UsageError("C061", f"{run!r} cannot be a run's name", fix="name it otherwise")
        if run in self.strange or (not overwrite and any(one.id == run for one in self.runs)):
            where = str(Path("memory") / run)
            raise UsageError("C060", "the run's folder is used already", where=where, fix="--overwrite")

    def _free(self, run: str, overwrite: bool) -> str:
        if any(one.id == run and not one.closed for one in self.runs):
            raise _busy(run)
        if not overwrite or run in self.strange or run not in (one.id for one in self.runs):
            self.check_unused(run)
        self.runs = [one for one in self.runs if one.id != run]
        return run

    def reopen(self, run: str) -> FakeRunFolder:
        found = [one for one in self.runs if run in (one.id, str(one.path))]
        id_ = found[0].id if found else self.find(run).id
        [folder] = [one for one in self.runs if one.id == id_]
        if not folder.closed:
            raise _busy(run)
        folder.closed = False
        return folder

    def list(self) -> tuple[RunSummary, ...]:
        return tuple(_summary(run) for run in reversed(self.runs) if run.manifests)

    def find(self, run: str) -> RunSummary:
        found = [one for one in self.list() if run in (one.id, one.name, one.path, "latest")]
        if not found:
            raise DataError("D030", f'there is no run "{run}"', fix="see `cesello runs list`")
        return next((one for one in found if one.id == run), found[0])


def _busy(run: str) -> RetryableError:
    return RetryableError("T074", "another process writes this run", where=str(Path("memory") / run))


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

    @property
    def heard(self) -> int | None:
        return self.requested

    def agree(self, number: int | None) -> None:
        self.requested = number

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
        on_step: likewise with the report of every step.
    """

    phases: list[tuple[str, int | None]] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    steps: list[StepReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    on_phase: Callable[[str], None] = lambda name: None
    on_step: Callable[[StepReport], None] = lambda report: None

    def phase(self, name: str, total: int | None = None, done: int = 0) -> None:
        self.phases.append((name, total))
        self.done.append(done)
        self.on_phase(name)

    def advance(self, count: int = 1) -> None:
        self.done[-1] += count

    def step(self, report: StepReport) -> None:
        self.steps.append(report)
        self.done[-1] += 1
        self.on_step(report)

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class FixedClock:
    """It is always the same time."""

    time: str = "2026-01-02T03:04:05+00:00"

    def now(self) -> str:
        return self.time
