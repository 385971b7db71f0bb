"""A fine-tuning that is killed or stopped at any instant and gone on with ends as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from cesello.application.finetune import FinetuneRequest
from cesello.application.open_run import RunChoice
from cesello.domain.checkpoint import CheckpointPlan
from cesello.domain.errors import Interrupted, UsageError
from cesello.domain.evaluation import EvaluationSpec, GradedSpec
from cesello.domain.run import RunManifest, RunStatus
from tests.fakes.checkpoints import FakeCheckpoints
from tests.fakes.logs import FakeMetricsLog
from tests.fakes.run import FakeRunFolder, FakeRunStore, RecordingObserver
from tests.unit.application.test_finetune import REQUEST, SKIPPING, Workshop

EVALUATED = EvaluationSpec(samples=1, graded=(GradedSpec("calls", "fake", 3),), every_steps=2)
STORIES = {
    "no checkpoint on the way": replace(REQUEST, checkpoints=CheckpointPlan(every_minutes=None)),
    "a checkpoint a step": replace(REQUEST, checkpoints=CheckpointPlan(every_steps=1)),
    "checkpoints and evaluations": replace(
        REQUEST, checkpoints=CheckpointPlan(every_steps=3), evaluation=EVALUATED
    ),
    "the best is the end": replace(
        REQUEST, checkpoints=CheckpointPlan(every_steps=3, ends_with_best=True), evaluation=EVALUATED
    ),
    "it ends early": replace(
        REQUEST,
        checkpoints=CheckpointPlan(every_steps=5, ends_with_best=True),
        evaluation=EvaluationSpec(samples=0, every_steps=1, patience=2),
    ),
    "steps are left out": replace(SKIPPING, checkpoints=CheckpointPlan(every_steps=2)),
}


class Killed(BaseException):
    """The process is no more."""


@dataclass
class Instants(RecordingObserver):
    """Counts whatever can be seen of a training from outside, and does something at one of those instants.

    Attributes:
        at: which, from 1; None: never.
        act: what.
    """

    at: int | None = None
    act: Callable[[], object] = lambda: None
    count: int = 0
    seen: list[str] = field(default_factory=list)

    def tick(self, name: str) -> None:
        self.count += 1
        self.seen.append(name)
        if self.count == self.at:
            self.act()

    def phase(self, name: str, total: int | None = None, done: int = 0) -> None:
        super().phase(name, total, done)
        self.tick(f"phase {name}")

    def advance(self, count: int = 1) -> None:
        super().advance(count)
        self.tick("advance")


@pytest.fixture(autouse=True)
def instants(monkeypatch: pytest.MonkeyPatch) -> list[Instants]:
    """Whatever is done to a run's folder is an instant before and after; the last in the list is told."""
    told: list[Instants] = []

    def watched(owner: type, name: str) -> None:
        call = getattr(owner, name)

        def ticking(self: Any, *arguments: Any, **options: Any) -> Any:
            told[-1].tick(f"before {name}")
            result = call(self, *arguments, **options)
            told[-1].tick(f"after {name}")
            return result

        monkeypatch.setattr(owner, name, ticking)

    for name in ("write_manifest", "append", "mark_logs", "cut_logs", "write_samples", "save_weights"):
        watched(FakeRunFolder, name)
    watched(FakeCheckpoints, "save")
    return told


@pytest.fixture(autouse=True)
def held_out_losses_that_rise_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best step is not the last."""
    monkeypatch.setattr("tests.fakes.model._loss", lambda trained: 2.0 + (trained - 3) ** 2 / 10)


def tuned(
    told: list[Instants],
    workshop: Workshop,
    request: FinetuneRequest,
    at: int | None,
    act: Callable[[], object],
) -> RunManifest:
    observer = Instants(at=at, act=act)
    told.append(observer)
    workshop.observer = observer
    workshop.optimizer.bad_steps = {2, 4} if request.data.plan.skips_nonfinite else set()
    return workshop.finetune(request)


def outcome(workshop: Workshop) -> dict[str, Any]:
    """All that a run leaves; how often it was gone on with does not count."""
    [run] = workshop.runs.runs
    newest, _ = run.checkpoints.newest()
    assert newest is not None
    best = run.checkpoints.best()
    assert best is not None
    return {
        "manifest": replace(run.manifests[-1], resumes=()),
        "logs": run.logs,
        "samples": run.samples,
        "batches": run.batches,
        "weights": run.weights,
        "newest": newest.state,
        "best": best.state,
        "files": run.checkpoints.saved[newest.state.step][1],
        "told": sorted((step, json.dumps(figures)) for step, figures in workshop.log.rows),
    }


def gone_on_with(again: Workshop, told: list[Instants], request: FinetuneRequest) -> Workshop:
    """The same command with --resume, to its end."""
    begun = bool(again.runs.list())
    choice = RunChoice(resume=True) if begun else RunChoice("0000-demo", resume=True, overwrite=True)
    manifest = tuned(told, again, replace(request, choice=choice), None, lambda: None)
    assert manifest.status is RunStatus.COMPLETED
    return again


def closed(runs: FakeRunStore) -> FakeRunStore:
    """As the system leaves it when a process has died."""
    for run in runs.runs:
        run.closed = True
    return runs


def uninterrupted(instants: list[Instants], request: FinetuneRequest) -> Workshop:
    """A run to its end, with rows that were prepared before, as those of a run that is gone on with."""
    prepared = Workshop()
    tuned(instants, prepared, request, None, lambda: None)
    whole = Workshop(store=prepared.store)
    tuned(instants, whole, request, None, lambda: None)
    assert outcome(whole) == outcome(prepared)
    return whole


@pytest.mark.parametrize("story", STORIES)
def test_killed_at_every_instant_it_ends_the_same(story: str, instants: list[Instants]) -> None:
    request = STORIES[story]
    whole = uninterrupted(instants, request)
    expected, seen = outcome(whole), instants[-1].seen
    changes = [at for at, name in enumerate(seen, 1) if name.startswith("after ")]
    assert len(changes) > 20
    for at in [1, changes[0] - 1, *changes]:  # in between, the folder stays as it is
        workshop = Workshop(store=whole.store)
        left: list[Any] = []

        def die(workshop: Workshop = workshop, left: list[Any] = left) -> None:
            left += [deepcopy(workshop.runs), deepcopy(workshop.log)]
            raise Killed

        with pytest.raises(Killed):
            tuned(instants, workshop, request, at, die)
        runs, log = left
        if at == changes[-1]:
            assert runs.list()[0].status is RunStatus.COMPLETED
            continue
        again = gone_on_with(Workshop(store=whole.store, runs=closed(runs), log=log), instants, request)
        assert outcome(again) == expected, f"killed at instant {at}: {seen[at - 1]}"


@pytest.mark.parametrize("story", STORIES)
def test_stopped_at_every_instant_it_ends_the_same(story: str, instants: list[Instants]) -> None:
    request = STORIES[story]
    whole = uninterrupted(instants, request)
    expected, seen = outcome(whole), instants[-1].seen
    too_late = len(seen) - seen[::-1].index(
        "advance"
    )  # the last rows are evaluated, and nothing asks any more
    for at in range(seen.index("before write_manifest") + 1, len(seen) + 1):
        if seen[at - 1].startswith("after "):
            continue  # nobody asks before the next
        workshop = Workshop(store=whole.store)
        ended = None
        try:
            tuned(instants, workshop, request, at, workshop.stop.ask)
        except Interrupted as end:
            ended = end
        place = f"stopped at instant {at}: {seen[at - 1]}"
        [run] = workshop.runs.runs
        assert run.closed
        assert (ended is None) == (at >= too_late), place
        if ended is None:
            assert run.manifests[-1].status is RunStatus.COMPLETED, place
        else:
            assert run.manifests[-1].status is RunStatus.INTERRUPTED, place
            assert ended.fix == "`cesello train RECIPE --resume --run 0000-demo` goes on from there", place
            assert run.manifests[-1].steps == len(run.metrics), place
            left = Workshop(store=whole.store, runs=workshop.runs, log=workshop.log)
            workshop = gone_on_with(left, instants, request)
        assert outcome(workshop) == expected, place


def test_stopped_in_every_start_it_still_ends_the_same(instants: list[Instants]) -> None:
    """A training that gets but a little further each time."""
    request = STORIES["the best is the end"]
    expected = outcome(uninterrupted(instants, request))
    workshop, starts = Workshop(), 0
    ended = False
    while not ended:
        runs = workshop.runs
        workshop = Workshop(runs=runs, log=FakeMetricsLog(rows=workshop.log.rows))
        instants.append(Instants())
        done = len(runs.runs[0].metrics) if runs.runs else 0
        workshop.after_step(done + 1, workshop.stop.ask)
        starts += 1
        try:
            workshop.finetune(replace(request, choice=RunChoice(resume=bool(runs.runs))))
            ended = True
        except Interrupted:
            assert len(workshop.run.metrics) == min(done + 1, 6)
    assert outcome(workshop) == expected
    assert starts == 7
    assert [resume.step for resume in workshop.manifest.resumes] == [1, 2, 3, 4, 5, 6]


# Which weights a run ends with


def finished(story: str, instants: list[Instants], **changes: Any) -> tuple[RunManifest, FakeRunFolder]:
    workshop = Workshop()
    manifest = tuned(instants, workshop, replace(STORIES[story], **changes), None, lambda: None)
    return manifest, workshop.run


def test_the_weights_of_the_best_step_are_saved_and_evaluated(instants: list[Instants]) -> None:
    story = "the best is the end"
    manifest, run = finished(story, instants, evaluation=replace(EVALUATED, every_steps=1))
    assert (manifest.best_step, manifest.steps, manifest.ended_by) == (3, 6, None)
    assert run.weights is not None
    assert run.weights["adapter_model.safetensors"] == b"5/3"
    assert manifest.after is not None
    assert manifest.after.loss == 2.0
    assert set(run.checkpoints.saved) == {3, 5, 6}, "the best is kept beside the last two"


def test_the_last_step_can_be_the_best(instants: list[Instants], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fakes.model._loss", lambda trained: 4.0 / (2 + trained))
    manifest, run = finished("the best is the end", instants)
    assert manifest.best_step == 6
    assert run.weights is not None
    assert run.weights["adapter_model.safetensors"] == b"5/6"


def test_without_being_asked_the_last_weights_are_saved(instants: list[Instants]) -> None:
    manifest, run = finished("checkpoints and evaluations", instants)
    assert manifest.best_step is None
    assert run.weights is not None
    assert run.weights["adapter_model.safetensors"] == b"5/6"
    assert set(run.checkpoints.saved) == {2, 4, 6}, "the best is kept beside the last two"


def test_a_training_that_brings_no_more_ends_early(instants: list[Instants]) -> None:
    manifest, run = finished("it ends early", instants)
    assert (manifest.steps, manifest.planned_steps) == (5, 6)
    assert (manifest.status, manifest.ended_by) == (RunStatus.COMPLETED, "early stopping")
    assert manifest.best_step == 3
    assert manifest.data is not None
    assert sum(source.drawn or 0 for source in manifest.data.sources) == 5 * 4
    assert [line["step"] for line in run.lines("evaluations")] == [0, 1, 2, 3, 4, 5, 5]


# What was not as before


def test_another_training_is_refused_and_can_be_forced(instants: list[Instants]) -> None:
    workshop = Workshop()
    instants.append(Instants())
    settings = {"training.learning_rate": "0.001", "lora.r": "4"}
    request = replace(REQUEST, settings=settings)
    workshop.after_step(3, workshop.stop.ask)
    with pytest.raises(Interrupted):
        workshop.finetune(request)
    before = deepcopy(workshop.run)
    other = replace(
        request, settings=settings | {"training.learning_rate": "0.002"}, choice=RunChoice(resume=True)
    )
    again = Workshop(runs=workshop.runs)
    with pytest.raises(UsageError, match="C050"):
        again.finetune(other)
    assert again.run == before
    manifest = again.finetune(replace(other, choice=RunChoice(resume=True, inexact=True)))
    [resume] = manifest.resumes
    assert (resume.step, resume.differences) == (3, ("recipe training.learning_rate: 0.001 -> 0.002",))
    assert manifest.identity["recipe training.learning_rate"] == "0.002"
    assert (manifest.status, manifest.steps, again.optimizer.starts) == (RunStatus.COMPLETED, 6, [3])


def test_an_exact_resume_says_that_nothing_differed(instants: list[Instants]) -> None:
    workshop = Workshop()
    instants.append(Instants())
    workshop.after_step(2, workshop.stop.ask)
    with pytest.raises(Interrupted):
        workshop.finetune()
    again = Workshop(runs=workshop.runs)
    manifest = again.finetune(replace(REQUEST, choice=RunChoice(resume=True)))
    assert [(one.step, one.differences) for one in manifest.resumes] == [(2, ())]
    assert ("training", 6) in again.observer.phases
    assert again.observer.notes == ["going on with 0000-demo after step 2"]
