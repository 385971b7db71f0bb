from __future__ import annotations

from math import inf, nan
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.advantage import advantages
from cesello.domain.objective import Scale

REWARDS = st.lists(st.floats(-1, 1), min_size=2, max_size=8)


def test_a_group_is_centred_and_divided_by_its_standard_deviation() -> None:
    (group,) = advantages([[1.0, 0.0, 0.0, 1.0]]).groups
    assert group.mean == 0.5
    assert group.deviation == pytest.approx(0.57735, abs=1e-5)
    assert group.values == pytest.approx(
        [0.5 / 0.57745, -0.5 / 0.57745, -0.5 / 0.57745, 0.5 / 0.57745], rel=1e-5
    )


def test_a_reward_that_does_not_apply_is_no_zero() -> None:
    with_none, without = advantages([[1.0, None, 0.5], [1.0, 0.5]]).groups
    assert with_none.values[1] == 0.0
    assert (with_none.values[0], with_none.values[2]) == without.values
    assert (with_none.mean, with_none.deviation) == (without.mean, without.deviation)
    assert without.mean == 0.75


@pytest.mark.parametrize("rewards", [[0.3] * 8, [0.1 + 0.2, 0.3], [None, 0.7], [None, None], [0.7], []])
def test_nothing_is_learnt_from_a_dead_group(rewards: list[float | None]) -> None:
    for scale in Scale:
        dead, alive = advantages([rewards, [0.0, 1.0]], scale).groups
        assert (dead.dead, alive.dead) == (True, False)
        assert dead.values == (0.0,) * len(rewards)


def test_scales_differ_in_what_they_divide_by() -> None:
    rewards = [[0.0, 1.0], [0.0, 0.1], [0.5, 0.5]]
    by = {scale: [group.values[1] for group in advantages(rewards, scale).groups] for scale in Scale}
    assert by[Scale.NONE] == pytest.approx([0.5, 0.05, 0.0])
    assert by[Scale.GROUP] == pytest.approx(
        [0.5 / (stdev([0, 1]) + 1e-4), 0.05 / (stdev([0, 0.1]) + 1e-4), 0.0]
    )
    overall = stdev([0, 1, 0, 0.1, 0.5, 0.5]) + 1e-4
    assert by[Scale.BATCH] == pytest.approx([0.5 / overall, 0.05 / overall, 0.0])


def test_epsilon_is_added_to_what_divides() -> None:
    (group,) = advantages([[0.0, 1.0]], epsilon=0.5).groups
    assert group.values[1] == pytest.approx(0.5 / (stdev([0, 1]) + 0.5))


def test_the_report_has_the_rewards_of_all_groups() -> None:
    made = advantages([[0.0, 1.0, None], [0.5, 0.5, 0.5], [None, None, None], [0.2, 0.4, 0.6]])
    known = [0.0, 1.0, 0.5, 0.5, 0.5, 0.2, 0.4, 0.6]
    assert made.mean == pytest.approx(mean(known))
    assert made.deviation == pytest.approx(stdev(known))
    assert (made.dead, made.dead_share, made.unscored, made.unscored_share) == (2, 0.5, 4, 0.25)
    assert made.deviation_in_groups == pytest.approx(mean([stdev([0, 1]), 0.0, stdev([0.2, 0.4, 0.6])]))


def test_of_nothing_there_is_no_mean() -> None:
    for rewards in ([], [[None, None]]):
        made = advantages(rewards)
        assert (made.mean, made.deviation, made.deviation_in_groups) == (None, None, None)
    assert (advantages([]).dead_share, advantages([]).unscored_share) == (0.0, 0.0)
    assert advantages([[0.5]]).deviation is None


@pytest.mark.parametrize("wrong", [nan, inf, -inf])
def test_a_reward_that_is_no_number_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        advantages([[0.5, wrong]])


@given(st.lists(REWARDS, min_size=1, max_size=4), st.sampled_from(Scale))
def test_advantages_of_a_group_sum_to_nothing_and_keep_its_order(
    rewards: list[list[float]], scale: Scale
) -> None:
    for group, of_group in zip(rewards, advantages(rewards, scale).groups, strict=True):
        assert sum(of_group.values) == pytest.approx(0, abs=1e-6)
        ranked = sorted(zip(group, of_group.values, strict=True))
        assert [value for _, value in ranked] == sorted(of_group.values)


@given(REWARDS)
def test_where_the_group_divides_advantages_have_no_more_than_unit_deviation(rewards: list[float]) -> None:
    (group,) = advantages([rewards]).groups
    assert stdev(group.values) <= 1 + 1e-9
