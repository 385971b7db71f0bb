"""When a policy is evaluated on its way, and when that brings no more."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.evaluation import EvaluationSpec


def test_it_is_evaluated_after_every_so_many_steps_but_not_before_the_first() -> None:
    spec = EvaluationSpec(every_steps=4)
    assert [step for step in range(13) if spec.is_due(step)] == [4, 8, 12]
    assert not any(EvaluationSpec().is_due(step) for step in range(13))


@pytest.mark.parametrize(
    ("losses", "patience", "least", "settled"),
    [
        ([], 1, 0.0, False),
        ([3.0], 1, 0.0, False),
        ([3.0, 2.0], 1, 0.0, False),
        ([3.0, 3.0], 1, 0.0, True),
        ([3.0, 3.1], 1, 0.0, True),
        ([3.0, 3.1], 2, 0.0, False),
        ([3.0, 3.1, 3.2], 2, 0.0, True),
        ([3.0, 3.1, 2.9], 2, 0.0, False),
        ([3.0, 2.0, 2.5, 1.9], 2, 0.0, False),
        ([3.0, 2.0, 2.5, 2.0], 2, 0.0, True),
        ([3.0, 2.95], 1, 0.1, True),
        ([3.0, 2.9375], 1, 0.0625, False),
        ([3.0, 1.0, 5.0, 4.0, 3.0], 3, 0.0, True),
        ([3.0, 9.0, 9.0, 9.0], None, 0.0, False),
        ([3.0, nan], 1, 0.0, True),
        ([3.0, nan, 2.0], 2, 0.0, False),
        ([nan, 3.0], 1, 0.0, False),
        ([nan, nan, 3.0, nan], 1, 0.0, True),
        ([3.0, inf, nan], 2, 0.0, True),
        ([nan, nan], 1, 0.0, True),
    ],
)
def test_it_settles_when_the_last_evaluations_brought_nothing(
    losses: list[float], patience: int | None, least: float, settled: bool
) -> None:
    assert EvaluationSpec(patience=patience, least_improvement=least).has_settled(losses) is settled


@given(st.lists(st.floats(0, 9), min_size=1), st.integers(1, 5))
def test_after_a_new_lowest_loss_it_goes_on(losses: list[float], patience: int) -> None:
    better = [*losses, min(losses) - 1]
    assert not EvaluationSpec(patience=patience).has_settled(better)


@given(st.floats(0, 9), st.integers(1, 5), st.integers(1, 5), st.floats(0, 1))
def test_a_loss_that_stands_still_settles_as_soon_as_patience_ends(
    loss: float, patience: int, more: int, least: float
) -> None:
    spec = EvaluationSpec(patience=patience, least_improvement=least)
    assert not spec.has_settled([loss] * patience)
    assert spec.has_settled([loss] * (patience + more))
