from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.errors import SandboxError
from cesello.domain.reward import (
    Blend,
    InfraErrors,
    RewardResult,
    Verdict,
    blended,
    infra_error,
    part_totals,
)

GOOD, POOR, SILENT = RewardResult(1.0), RewardResult(-0.5, reasons=("short",)), RewardResult(None)
FAILED = infra_error("sandbox_failed")


def test_parts_are_added_over_the_results_that_have_them() -> None:
    results = [RewardResult(1.0, {"a": 1.0, "b": 0.5}), RewardResult(None), RewardResult(0.0, {"a": 1.0})]
    assert part_totals(results) == {"a": 2.0, "b": 0.5}
    assert part_totals([]) == {}


def test_a_blend_is_the_weighted_mean_of_those_that_apply() -> None:
    result = blended({"a": GOOD, "b": POOR, "c": SILENT}, {"a": 3.0, "b": 1.0, "c": 9.0}, Blend.MEAN)
    assert result.score == pytest.approx((3 * 1.0 - 1 * 0.5) / 4)
    assert result.parts == {"a": 1.0, "b": -0.5}
    assert result.reasons == ("b:short",)


def test_a_sum_is_kept_within_the_range() -> None:
    assert blended({"a": GOOD, "b": POOR}, {"a": 3.0, "b": 1.0}, Blend.SUM).score == 1.0
    assert blended({"a": GOOD, "b": POOR}, {"a": 0.5, "b": 0.5}, Blend.SUM).score == pytest.approx(0.25)


def test_a_penalty_has_a_weight_below_zero() -> None:
    assert blended({"a": GOOD, "b": GOOD}, {"a": 1.0, "b": -1.0}, Blend.MEAN).score == 0.0


def test_nothing_that_applies_is_no_zero() -> None:
    assert blended({"a": SILENT}, {"a": 1.0}, Blend.MEAN).score is None
    assert blended({}, {}, Blend.SUM).score is None


@pytest.mark.parametrize("blend", list(Blend))
def test_one_failed_grader_makes_the_whole_not_applicable(blend: Blend) -> None:
    result = blended({"a": GOOD, "b": FAILED}, {"a": 1.0, "b": 1.0}, blend)
    assert result == RewardResult(None, {}, ("b:sandbox_failed",), Verdict.INFRA_ERROR)


@given(st.dictionaries(st.text(max_size=3), st.tuples(st.floats(-1, 1), st.floats(-9, 9)), max_size=5))
def test_a_blend_stays_in_the_range(rewards: dict[str, tuple[float, float]]) -> None:
    results = {name: RewardResult(score) for name, (score, _) in rewards.items()}
    weights = {name: weight for name, (_, weight) in rewards.items()}
    for blend in Blend:
        score = blended(results, weights, blend).score
        assert score is None if not rewards else -1 - 1e-9 <= (score or 0.0) <= 1 + 1e-9


def test_two_in_a_hundred_failed_gradings_are_borne_and_no_more() -> None:
    errors = InfraErrors()
    errors.count([GOOD] * 98 + [FAILED] * 2)
    with pytest.raises(SandboxError, match="X010") as caught:
        errors.count([FAILED])
    assert "3 of 101" in str(caught.value)
    assert "sandbox_failed (3)" in str(caught.value)


def test_one_failed_grading_alone_stops_nothing_and_two_of_few_do() -> None:
    errors = InfraErrors()
    errors.count([FAILED, GOOD])
    with pytest.raises(SandboxError, match="X010"):
        errors.count([FAILED])


def test_what_does_not_apply_is_no_failure() -> None:
    errors = InfraErrors()
    errors.count([SILENT] * 100)
    assert (errors.graded, errors.failed) == (100, 0)
