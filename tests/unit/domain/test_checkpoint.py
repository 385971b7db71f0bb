"""When a training is saved, what stays, and what is no longer the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.checkpoint import GENERATION, CheckpointPlan, Difference, differences, kept

STEPS = st.lists(
    st.tuples(st.integers(1, 50), st.none() | st.floats(0, 9, allow_nan=False)),
    min_size=1,
    unique_by=lambda one: one[0],
)


@pytest.mark.parametrize(
    ("steps", "minutes", "step", "seconds", "due"),
    [
        (5, None, 5, 0.0, True),
        (5, None, 10, 0.0, True),
        (5, None, 6, 1e9, False),
        (None, 2.0, 7, 119.9, False),
        (None, 2.0, 7, 120.0, True),
        (5, 2.0, 6, 120.0, True),
        (5, 2.0, 5, 1.0, True),
        (5, 2.0, 6, 1.0, False),
        (None, None, 5, 1e9, False),
    ],
)
def test_it_is_saved_by_steps_or_by_minutes_whichever_comes_first(
    steps: int | None, minutes: float | None, step: int, seconds: float, due: bool
) -> None:
    assert CheckpointPlan(steps, minutes).is_due(step, seconds) is due


def test_the_newest_stay_and_those_with_the_lowest_loss() -> None:
    found = [(2, 3.0), (4, 1.0), (6, 2.0), (8, None), (10, 4.0), (12, None)]
    assert kept(found, CheckpointPlan(keep_last=2, keep_best=1)) == {10, 12, 4}
    assert kept(found, CheckpointPlan(keep_last=1, keep_best=2)) == {12, 4, 6}
    assert kept(found, CheckpointPlan(keep_last=3, keep_best=0)) == {8, 10, 12}


def test_of_two_with_the_same_loss_the_first_is_the_best() -> None:
    assert kept([(2, 1.0), (4, 1.0), (6, None)], CheckpointPlan(keep_last=1, keep_best=1)) == {2, 6}


@given(STEPS, st.integers(0, 5), st.integers(0, 5))
def test_the_newest_always_stays_and_never_more_than_was_asked(
    found: list[tuple[int, float | None]], last: int, best: int
) -> None:
    stay = kept(found, CheckpointPlan(keep_last=last, keep_best=best))
    assert max(step for step, _ in found) in stay
    assert stay <= {step for step, _ in found}
    assert len(stay) <= max(last, 1) + best


@given(STEPS, st.integers(1, 5), st.integers(0, 5))
def test_what_was_removed_is_not_missed_later(
    found: list[tuple[int, float | None]], last: int, best: int
) -> None:
    """Removing on the way leaves what removing at the end would leave."""
    plan = CheckpointPlan(keep_last=last, keep_best=best)
    on_the_way: list[tuple[int, float | None]] = []
    for one in sorted(found, key=lambda one: one[0]):
        stay = kept([*on_the_way, one], plan)
        on_the_way = [old for old in [*on_the_way, one] if old[0] in stay]
    assert {step for step, _ in on_the_way} == kept(found, plan)


def test_differences_are_by_name_and_tell_what_is_missing() -> None:
    stored = {"same": "1", "changed": "old", "gone": "x"}
    now = {"same": "1", "changed": "new", "added": "y"}
    assert differences(stored, now) == [
        Difference("added", None, "y"),
        Difference("changed", "old", "new"),
        Difference("gone", "x", None),
    ]
    assert differences(stored, dict(reversed(stored.items()))) == []


def test_the_generation_of_a_memory_is_told_and_never_compared() -> None:
    assert differences({"seed": "1", GENERATION: "1"}, {"seed": "1", GENERATION: "3"}) == []
