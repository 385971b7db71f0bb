"""Figures of arms on the same tasks."""

from __future__ import annotations

import pytest

from cesello.domain.ablation import Arm, ArmFigures, ArmScores, arm_figures


def arm(which: Arm, *scores: float | None) -> ArmScores:
    n = len(scores)
    return ArmScores("run", which, scores, [True] * n, [False] * n, [100] * n, [10] * n, [0.25] * n)


def figures(*arms: ArmScores) -> list[ArmFigures]:
    return list(arm_figures(arms))


def test_an_arm_is_beside_the_bare_one() -> None:
    bare, memory = figures(arm(Arm.BARE, *[0.0] * 8), arm(Arm.MEMORY, *[1.0] * 6, 0.0, 0.0))
    assert bare.gain is None
    assert bare.solved.mean == 0
    assert memory.solved.mean == 0.75
    assert memory.solved.interval.low < 0.75 < memory.solved.interval.high
    assert memory.gain is not None
    assert (memory.gain.gain, memory.gain.wins, memory.gain.losses) == (0.75, 6, 0)
    assert memory.gain.p == pytest.approx(2 / 2**6)  # exact McNemar, two-sided
    assert 0 < memory.gain.interval.low < 0.75 < memory.gain.interval.high
    assert (memory.read, memory.written, memory.seconds) == (100, 10, 0.25)


def test_harm_is_as_unlikely_by_chance_as_help() -> None:
    good, bad = [1.0] * 6 + [0.0] * 2, [0.0] * 8
    _, helps = figures(arm(Arm.BARE, *bad), arm(Arm.MEMORY, *good))
    _, harms = figures(arm(Arm.BARE, *good), arm(Arm.MEMORY, *bad))
    assert helps.gain is not None
    assert harms.gain is not None
    assert helps.gain.p == harms.gain.p
    assert harms.gain.gain == -0.75


def test_a_task_that_one_arm_could_not_be_judged_on_counts_in_none() -> None:
    bare, memory = figures(arm(Arm.BARE, 1.0, None, 0.0), arm(Arm.MEMORY, 1.0, 1.0, None))
    assert (bare.tasks, memory.tasks) == (1, 1)
    assert bare.solved.mean == 1.0
    assert not bare.is_graded


def test_all_columns_are_of_the_same_tasks() -> None:
    bare = ArmScores(
        "run", Arm.BARE, [1.0, None, 0.0], [False] * 3, [False] * 3, [10, 90, 20], [1, 9, 3], [1, 9, 3]
    )
    memory = ArmScores(
        "run",
        Arm.MEMORY,
        [1.0, 1.0, 0.0],
        [True, True, False],
        [False] * 3,
        [30, 90, None],
        [5, 9, None],
        [2, 9, 4],
    )
    one, other = figures(bare, memory)
    assert (one.tasks, one.grounded, one.seconds) == (2, 0, 2)
    assert (other.tasks, other.grounded, other.seconds) == (2, 1, 3)
    # The answer to the third task could not be counted in one arm: it is missing, not empty.
    assert (one.read, one.written, other.read, other.written) == (10, 1, 30, 5)
    lost = ArmScores("run", Arm.BARE, [0.0], [False], [False], [None], [None], [1.0])
    assert figures(lost)[0].read is None


def test_scores_between_right_and_wrong_are_told_beside_the_share_solved() -> None:
    _, memory = figures(arm(Arm.BARE, 0.5, 0.5, 0.5), arm(Arm.MEMORY, 0.75, 0.75, 1.0))
    assert memory.score_gain is not None
    assert memory.gain is not None
    assert memory.score_gain.gain == pytest.approx(1 / 3)
    assert memory.gain.gain == pytest.approx(1 / 3)
    assert memory.is_graded
    assert memory.score_gain.test == "sign flip"
    assert memory.score_gain.p == pytest.approx(2 / 8)
