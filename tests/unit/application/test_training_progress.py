"""What a training has come to, counted step by step and kept in checkpoints."""

from __future__ import annotations

import json
from math import inf, nan

import pytest

from cesello.application.training_progress import Progress, progress_from
from cesello.domain.run import Evaluation, GradedSet, SourceLoss
from cesello.domain.schedule import StepReport

BEFORE = Evaluation({"chat": SourceLoss(4, 8, 2.5)}, {"calls": GradedSet("fake", 3, {"valid": 2.0})})


def report(step: int, loss: float = 2.0, *, norm: float = 1.0, splits: int = 0) -> StepReport:
    return StepReport(step, loss, 1e-3, norm, tokens=100, trained_tokens=10, seconds=0.5, splits=splits)


def test_steps_are_added_up() -> None:
    progress = Progress()
    for one in (report(1), report(2, 1.5, splits=1), report(3, 1.0, splits=1)):
        progress.add(one)
    assert progress == Progress(step=3, tokens=300, trained_tokens=30, seconds=1.5, final_loss=1.0, splits=1)


@pytest.mark.parametrize("bad", [report(2, nan), report(2, inf), report(2, norm=nan)])
def test_a_step_left_out_is_counted_and_has_no_loss(bad: StepReport) -> None:
    progress = Progress()
    progress.add(report(1, 3.0))
    progress.add(bad)
    assert (progress.step, progress.skipped, progress.in_a_row, progress.final_loss) == (2, 1, 1, 3.0)
    progress.add(report(3, nan))
    assert (progress.skipped, progress.in_a_row) == (2, 2)
    progress.add(report(4, 1.0))
    assert (progress.skipped, progress.in_a_row, progress.final_loss) == (2, 0, 1.0)


def test_the_held_out_loss_is_that_of_the_last_step_or_none() -> None:
    progress = Progress(step=4, evaluations=[(2, 3.0), (4, 2.0)])
    assert (progress.held_out, progress.is_evaluated(), progress.losses) == (2.0, True, [3.0, 2.0])
    progress.add(report(5))
    assert (progress.held_out, progress.is_evaluated()) == (None, False)
    assert (Progress().held_out, Progress().is_evaluated()) == (None, False)


def test_an_evaluation_without_a_loss_was_one() -> None:
    progress = Progress(step=4, evaluations=[(2, 3.0), (4, None)])
    assert (progress.held_out, progress.is_evaluated(), progress.losses) == (None, True, [3.0])


@pytest.mark.parametrize("before", [BEFORE, None])
def test_it_comes_back_from_a_checkpoint_as_it_was(before: Evaluation | None) -> None:
    progress = Progress(before, 4, 400, 40, 0.1 + 0.2, 1 / 3, 2, 1, 3, [(2, 0.1), (3, None), (4, 1e-17)])
    progress.course, _ = progress.course.after_step(4, {"cut_off": 0.1, "reward": 0.5})
    again = progress_from(json.loads(json.dumps(progress.as_plain())))
    assert again == progress
    again.add(report(5))
    again.evaluations.append((5, 1.0))
    assert progress.step == 4
    assert len(progress.evaluations) == 3


def test_a_checkpoint_of_before_there_were_alarms_is_gone_on_with() -> None:
    plain = Progress(step=4).as_plain()
    del plain["course"]
    assert progress_from(plain) == Progress(step=4)
