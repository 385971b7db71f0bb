"""What happens between two steps: logs, evaluations on the way, checkpoints, and reasons to end."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from cesello.application.training_progress import Progress
from cesello.application.watch_training import WatchTraining, evaluation_figures, step_figures
from cesello.domain.checkpoint import CheckpointPlan
from cesello.domain.errors import Interrupted, ModelError, RetryableError
from cesello.domain.evaluation import EvaluationSpec
from cesello.domain.run import Evaluation, GradedSet, SourceLoss
from cesello.domain.schedule import StepReport, TrainingPlan
from cesello.domain.tokens import token_row
from tests.fakes.logs import FakeMetricsLog
from tests.fakes.model import FACTS, FakePolicy
from tests.fakes.run import FakeRunFolder, RecordingObserver
from tests.fakes.training import FakeTrainingState

ROWS = [token_row([n, n + 1], [False, True]) for n in range(40)]
SELDOM = CheckpointPlan(every_steps=None, every_minutes=None, keep_last=9)


@dataclass
class Watched:
    """A listener with fakes around it, told of steps of 20 seconds, with half a minute from one to the next.

    Attributes:
        losses: held out, of the evaluations to come.
        evaluated: what for, in order.
    """

    checkpoints: CheckpointPlan = SELDOM
    spec: EvaluationSpec = field(default_factory=EvaluationSpec)
    plan: TrainingPlan = field(default_factory=lambda: TrainingPlan(max_steps=10, batch_size=2, accumulate=2))
    losses: list[float | None] = field(default_factory=list)
    progress: Progress = field(default_factory=Progress)
    run: FakeRunFolder = field(default_factory=lambda: FakeRunFolder("r", Path("memory"), ""))
    log: FakeMetricsLog = field(default_factory=FakeMetricsLog)
    observer: RecordingObserver = field(default_factory=RecordingObserver)
    evaluated: list[str] = field(default_factory=list)
    stops: bool = False

    def __post_init__(self) -> None:
        self.observer.phase("training", 10, self.progress.step)
        self.watch = self.made()

    def made(self, **options: Any) -> WatchTraining:
        batches = [[ROWS[4 * n : 4 * n + 2], ROWS[4 * n + 2 : 4 * n + 4]] for n in range(10)]
        return WatchTraining(
            self.run, self.log, self.observer, batches, self.plan, self.spec, self.checkpoints,
            {"data": "d1"}, self.progress, self.evaluate, **options,
        )  # fmt: skip

    def evaluate(self, when: str) -> Evaluation:
        self.evaluated.append(when)
        if self.stops:
            raise Interrupted(15, "stopped")
        loss = self.losses.pop(0)
        return Evaluation({} if loss is None else {"chat": SourceLoss(4, 8, loss)}, {})

    def step(self, step: int, loss: float = 1.0, splits: int = 0, elapsed: float = 30.0) -> bool:
        report = StepReport(step, loss, 1e-3, 1.0, 100, 10, 20.0, right=5, elapsed=elapsed, splits=splits)
        return self.watch(report, FakeTrainingState(FakePolicy(FACTS, trained=step)))

    def steps(self, last: int) -> list[bool]:
        return [self.step(step) for step in range(1, last + 1)]

    @property
    def saved(self) -> dict[int, float | None]:
        """Step and held-out loss of the checkpoints."""
        return {step: state.held_out for step, (state, _) in self.run.checkpoints.saved.items()}


def test_every_step_is_logged_shown_and_counted() -> None:
    watched = Watched()
    assert watched.steps(3) == [True, True, True]
    assert [line["step"] for line in watched.run.metrics] == [1, 2, 3]
    assert [line["seconds"] for line in watched.run.lines("timings")] == [20.0] * 3
    assert [step for step, _ in watched.log.rows] == [1, 2, 3]
    assert [report.step for report in watched.observer.steps] == [1, 2, 3]
    assert (watched.progress.step, watched.progress.tokens) == (3, 300)
    assert (watched.evaluated, watched.saved) == ([], {})


# Checkpoints


def test_it_is_saved_by_steps() -> None:
    watched = Watched(replace(SELDOM, every_steps=3))
    watched.steps(7)
    assert list(watched.saved) == [3, 6]


def test_it_is_saved_by_minutes_since_the_last_checkpoint_whatever_made_that() -> None:
    watched = Watched(replace(SELDOM, every_steps=5, every_minutes=2.0))
    watched.steps(10)
    assert list(watched.saved) == [4, 5, 9, 10]


def test_minutes_before_a_resume_do_not_count() -> None:
    watched = Watched(replace(SELDOM, every_minutes=2.0), progress=Progress(step=5, seconds=1e6))
    for step in range(6, 10):
        watched.step(step)
    assert list(watched.saved) == [9]


def test_what_comes_between_two_steps_counts_as_time_to_the_next_checkpoint() -> None:
    watched = Watched(replace(SELDOM, every_minutes=2.0))
    watched.step(1)
    watched.step(2, elapsed=100.0)  # it was evaluated in between, say
    assert (list(watched.saved), watched.progress.seconds) == ([2], 40.0)


def test_a_checkpoint_tells_all_that_is_needed_to_go_on() -> None:
    watched = Watched(replace(SELDOM, every_steps=2))
    watched.steps(3)
    state, files = watched.run.checkpoints.saved[2]
    assert (state.step, state.held_out, state.optimizer) == (2, None, {"kind": "fake"})
    assert state.identity == {"data": "d1"}
    assert files["lora.safetensors"] == b"2"
    assert set(state.logs) == {"metrics.jsonl", "timings.jsonl"}
    assert state.logs["metrics.jsonl"].size == watched.run.logs["metrics.jsonl"].index('{"step": 3')
    assert (state.progress["step"], state.progress["seconds"]) == (2, 40.0)


def test_the_last_step_is_saved_once() -> None:
    watched = Watched(replace(SELDOM, every_steps=3))
    watched.steps(3)
    kept = watched.run.checkpoints.saved[3]
    watched.watch.save()
    assert watched.run.checkpoints.saved[3] is kept
    watched.step(4)
    watched.watch.save()
    assert list(watched.saved) == [3, 4]


def test_before_the_first_step_there_is_nothing_to_save() -> None:
    watched = Watched()
    watched.watch.save()
    watched.watch.catch_up()
    assert watched.saved == {}


def test_a_full_disk_keeps_the_old_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(state: FakeTrainingState, folder: Path) -> None:
        (folder / "lora.safetensors").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    watched = Watched(replace(SELDOM, every_steps=2))
    watched.steps(3)
    old = watched.run.checkpoints.saved[2]
    monkeypatch.setattr(FakeTrainingState, "save", full)
    with pytest.raises(RetryableError) as caught:
        watched.step(4)
    assert (caught.value.code, caught.value.exit_status) == ("T075", 75)
    assert watched.run.checkpoints.saved == {2: old}


# Evaluations on the way


def test_it_is_evaluated_on_schedule_but_for_the_last_step() -> None:
    watched = Watched(spec=EvaluationSpec(every_steps=4), plan=TrainingPlan(max_steps=8), losses=[3.0])
    watched.steps(8)
    assert watched.evaluated == ["step-00000004"]
    assert watched.progress.evaluations == [(4, 3.0)]
    [line] = watched.run.lines("evaluations")
    assert line == {
        "step": 4,
        "when": "step",
        "losses": {"chat": {"rows": 4, "tokens": 8, "loss": 3.0}},
        "graded": {},
    }
    assert (
        4,
        {"eval/loss": 3.0, "eval/chat/loss": 3.0, "eval/chat/perplexity": pytest.approx(20.09, abs=0.01)},
    ) in (watched.log.rows)
    assert watched.observer.phases == [("training", 10), ("training", 8)]
    assert watched.observer.done == [4, 4 + 4]


def test_where_the_best_is_kept_the_last_step_is_compared_too() -> None:
    plan = replace(SELDOM, ends_with_best=True)
    watched = Watched(plan, EvaluationSpec(every_steps=4), TrainingPlan(max_steps=6), [3.0, 2.0])
    watched.steps(6)
    assert watched.evaluated == ["step-00000004", "step-00000006"]
    best = watched.run.checkpoints.best()
    assert best is not None
    assert best.state.step == 6


def test_a_checkpoint_is_made_after_every_evaluation_and_tells_its_loss() -> None:
    watched = Watched(SELDOM, EvaluationSpec(every_steps=2), losses=[5.0, 6.0, 4.0])
    watched.steps(7)
    assert watched.saved == {2: 5.0, 4: 6.0, 6: 4.0}


def test_the_best_two_are_kept_beside_the_last() -> None:
    plan = replace(SELDOM, keep_last=1, keep_best=2)
    watched = Watched(plan, EvaluationSpec(every_steps=1), losses=[5.0, 8.0, 6.0, 7.0, 9.0, 9.5])
    watched.steps(6)
    assert watched.saved == {1: 5.0, 3: 6.0, 6: 9.5}


def test_where_no_best_is_kept_what_was_evaluated_is_saved_all_the_same() -> None:
    plan = replace(SELDOM, keep_last=1, keep_best=0)
    watched = Watched(plan, EvaluationSpec(every_steps=1), losses=[4.0, 5.0])
    assert watched.step(1)
    assert watched.saved == {1: 4.0}
    assert watched.step(2)
    assert watched.saved == {2: 5.0}


def test_without_held_out_rows_nothing_is_best_and_nothing_settles() -> None:
    watched = Watched(SELDOM, EvaluationSpec(every_steps=1, patience=1), losses=[None] * 5)
    assert watched.steps(5) == [True] * 5
    assert watched.progress.evaluations == [(step, None) for step in range(1, 6)]
    assert watched.saved == dict.fromkeys(range(1, 6))
    watched.watch.catch_up()
    assert len(watched.run.lines("evaluations")) == 5, "what told no loss was done all the same"


def test_the_first_processs_loss_is_everybodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeTrainingState, "agreed", lambda state, figure: 4.0)
    watched = Watched(SELDOM, EvaluationSpec(every_steps=1, patience=1), losses=[4.1, 3.9])
    assert watched.steps(2) == [True, False]
    assert watched.progress.evaluations == [(1, 4.0), (2, 4.0)]
    assert watched.saved == {1: 4.0, 2: 4.0}


def test_it_ends_when_the_loss_falls_no_more_and_that_is_saved() -> None:
    watched = Watched(SELDOM, EvaluationSpec(every_steps=2, patience=2), losses=[5.0, 4.0, 4.5, 4.0])
    assert watched.steps(8)[:8] == [True] * 7 + [False]
    assert watched.watch.settled
    assert watched.saved == {2: 5.0, 4: 4.0, 6: 4.5, 8: 4.0}
    assert watched.made().settled, "and it is still settled when it is gone on with"


def test_a_signal_in_an_evaluation_ends_the_training_without_a_mark_of_it() -> None:
    watched = Watched(SELDOM, EvaluationSpec(every_steps=2), stops=True)
    assert watched.steps(2) == [True, False]
    assert watched.watch.interrupted == 15
    assert watched.progress.evaluations == []
    assert watched.run.lines("evaluations") == []
    watched.watch.save()
    assert watched.saved == {2: None}


def test_what_a_signal_kept_from_being_evaluated_is_caught_up_on() -> None:
    """The checkpoint then tells its loss as if there had been no signal, so that it can be the best."""
    watched = Watched(SELDOM, EvaluationSpec(every_steps=2), stops=True)
    watched.steps(2)
    watched.watch.save()
    start, _ = watched.run.checkpoints.newest()
    watched.stops, watched.losses = False, [3.0]
    watched.watch = watched.made(start=start)
    watched.watch.catch_up()
    assert watched.saved == {2: 3.0}
    state, files = watched.run.checkpoints.saved[2]
    assert files == {"lora.safetensors": b"2", "optimizer.safetensors": b"nothing"}
    assert (state.optimizer, state.progress["evaluations"]) == ({"kind": "fake"}, [[2, 3.0]])
    watched.watch.catch_up()
    assert len(watched.run.lines("evaluations")) == 1
    assert watched.step(3)


# What goes wrong


def test_passes_that_are_split_are_told_once_a_split() -> None:
    watched = Watched()
    for step, splits in enumerate((0, 1, 1, 2), 1):
        watched.step(step, splits=splits)
    assert watched.observer.notes == [
        f"the memory did not suffice at step {step}: forward passes are cut into {parts} parts from here on; "
        "the rows of a step and its loss stay the same"
        for step, parts in ((2, 2), (4, 4))
    ]


def test_the_rows_of_a_step_that_went_wrong_are_kept() -> None:
    watched = Watched()
    watched.step(1)
    with pytest.raises(ModelError) as caught:
        watched.step(2, loss=float("inf"))
    assert (caught.value.code, caught.value.got) == ("M020", "loss inf, gradient norm 1")
    fix = str(caught.value.fix)
    assert "training.on_nonfinite skip" in fix
    assert fix.endswith("--resume --allow-inexact")
    expected = [{"ids": list(row.ids), "trained": list(row.trained)} for row in ROWS[4:8]]
    assert list(watched.run.batches[2]) == expected
    assert watched.run.metrics[1]["loss"] is None


def test_a_left_out_step_before_a_resume_counts_in_a_row() -> None:
    plan = TrainingPlan(max_steps=10, skips_nonfinite=True)
    watched = Watched(plan=plan, progress=Progress(step=4, skipped=3, in_a_row=3))
    with pytest.raises(ModelError, match="M020"):
        watched.step(5, loss=float("nan"))


# Alarms


def cut_off(step: int, reward: float = 0.5, share: float = 0.0) -> StepReport:
    figures = {"reward": reward, "cut_off": share}
    return StepReport(step, 1.0, 1e-3, 1.0, 100, 10, 20.0, figures=figures)


def told(watched: Watched, *reports: StepReport) -> None:
    for report in reports:
        watched.watch(report, FakeTrainingState(FakePolicy(FACTS, trained=report.step)))


def test_an_alarm_is_told_kept_and_part_of_a_checkpoint() -> None:
    watched = Watched(replace(SELDOM, every_steps=6))
    told(watched, *(cut_off(step, share=0.5) for step in range(1, 8)))
    [line] = watched.run.lines("alarms")
    assert (line["step"], line["name"]) == (5, "cut_off")
    assert watched.observer.notes == [f"step 5: {line['text']}"]
    state, _ = watched.run.checkpoints.saved[6]
    assert state.progress["course"]["standing"] == ["cut_off"]
    assert "alarms.jsonl" in state.logs


def rises(watched: Watched) -> None:
    told(watched, *(cut_off(step, reward=0.1 if step <= 5 else 0.9) for step in range(1, 11)))


def score(watched: Watched, *scores: float) -> None:
    """The held-out scores: before, and of the evaluations to come."""
    left = [Evaluation({}, {"calls": GradedSet("fake", 3, {}, one)}) for one in scores]
    watched.progress.before = left.pop(0)
    watched.watch = watched.made(by_score=True)
    watched.watch._evaluate = lambda when: left.pop(0)


def test_a_reward_that_rises_alone_is_told_after_an_evaluation_and_saved_with_it() -> None:
    watched = Watched(spec=EvaluationSpec(every_steps=5), plan=TrainingPlan(max_steps=20))
    score(watched, 0.3, 0.3, 0.31)
    rises(watched)
    [line] = watched.run.lines("alarms")
    assert (line["step"], line["name"]) == (10, "held_out")
    assert "the held-out score went from 0.30 to 0.31" in line["text"]
    assert watched.run.checkpoints.saved[10][0].progress["course"]["standing"] == ["held_out"]


def test_a_reward_that_rises_alone_is_told_at_the_end_where_nothing_was_evaluated_on_the_way() -> None:
    watched = Watched(spec=EvaluationSpec(), plan=TrainingPlan(max_steps=20))
    score(watched, 0.3)
    rises(watched)
    watched.watch.write_last(Evaluation({}, {"calls": GradedSet("fake", 3, {}, 0.31)}))
    [line] = watched.run.lines("alarms")
    assert (line["step"], line["name"]) == (10, "held_out")
    [kept] = watched.run.lines("evaluations")
    assert (kept["step"], kept["when"]) == (10, "after")


def test_a_score_that_rises_with_the_reward_is_none() -> None:
    watched = Watched(spec=EvaluationSpec(every_steps=5), plan=TrainingPlan(max_steps=20))
    score(watched, 0.3, 0.4, 0.8)
    rises(watched)
    assert watched.run.lines("alarms") == []


def test_a_loss_is_not_compared_with_a_reward() -> None:
    watched = Watched(spec=EvaluationSpec(every_steps=5), plan=TrainingPlan(max_steps=20), losses=[3.0, 3.0])
    watched.progress.before = Evaluation({}, {"calls": GradedSet("fake", 3, {}, 0.3)})
    rises(watched)
    assert watched.run.lines("alarms") == []


# Figures


def test_what_nobody_measured_is_not_logged() -> None:
    report = StepReport(1, float("nan"), 1e-3, 1.0, 100, 10, 2.0)
    assert step_figures(report) == {
        "train/learning_rate": 1e-3,
        "train/gradient_norm": 1.0,
        "train/tokens": 100.0,
        "train/trained_tokens": 10.0,
        "speed/seconds": 2.0,
        "speed/tokens_per_second": 50.0,
    }
    full = replace(report, loss=0.0, right=4, memory=7, roofline=0.5)
    assert step_figures(full).keys() - step_figures(report).keys() == {
        "train/loss",
        "train/perplexity",
        "train/token_accuracy",
        "speed/memory",
        "speed/roofline",
    }


def test_graded_parts_are_logged_by_name() -> None:
    evaluation = Evaluation({}, {"calls": GradedSet("fake", 3, {"valid": 2.0})})
    assert evaluation_figures(evaluation, "eval") == {"eval/calls/valid": 2.0}


def test_the_score_is_logged_and_what_could_not_be_judged_where_there_is_any() -> None:
    one, other = GradedSet("fake", 3, {}, 0.0), GradedSet("fake", 3, {}, -0.5, 1, 2)
    assert evaluation_figures(Evaluation({}, {"a": one, "b": other}), "eval") == {
        "eval/a/score": 0.0,
        "eval/b/score": -0.5,
        "eval/b/infra_errors": 2,
    }


def test_figures_of_an_evaluation_tell_what_it_was_for() -> None:
    evaluation = Evaluation({"chat": SourceLoss(4, 8, 0.0)}, {})
    assert evaluation_figures(evaluation, "final") == {
        "final/loss": 0.0,
        "final/chat/loss": 0.0,
        "final/chat/perplexity": 1.0,
    }
