from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.prompt_verdict import PromptVerdict, compared, figure, verdict
from cesello.domain.statistics import Interval, mcnemar, newcombe, wilson

WIN, LOSS, BOTH, NEITHER = (0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (0.0, 0.0)


@pytest.mark.parametrize(
    ("wins", "losses", "expected"),
    [
        (5, 0, PromptVerdict.PROVEN),
        (3, 0, PromptVerdict.PROMISING),
        (1, 0, PromptVerdict.KEEP),
        (9, 2, PromptVerdict.PROVEN),
        (9, 5, PromptVerdict.PROMISING),
        (9, 6, PromptVerdict.KEEP),
        (0, 9, PromptVerdict.KEEP),
        (0, 0, PromptVerdict.KEEP),
    ],
)
def test_what_so_many_wins_and_losses_come_to(wins: int, losses: int, expected: PromptVerdict) -> None:
    pairs = [WIN] * wins + [LOSS] * losses + [BOTH] * 20 + [NEITHER] * 20
    found = compared("old", "new", pairs, mid=True)
    assert verdict(found) is expected
    assert found.test == "McNemar, mid-p"
    assert found.p == pytest.approx((mcnemar(wins, losses) + 1 - mcnemar(losses, wins)) / 2)
    exact = compared("old", "new", pairs)
    assert exact.test == "exact McNemar"
    assert exact.p == pytest.approx(mcnemar(wins, losses))
    assert (found.wins, found.losses) == (wins, losses)
    assert expected.ships is (expected is not PromptVerdict.KEEP)


def test_nothing_found_keeps_the_seed() -> None:
    assert verdict(None) is PromptVerdict.KEEP
    nothing = compared("old", "new", [])
    assert nothing.p == 1
    assert verdict(nothing) is PromptVerdict.KEEP


@given(st.lists(st.tuples(*[st.sampled_from([-1.0, -0.5, 0.25, 1.0])] * 2), min_size=2, max_size=12))
def test_a_gain_lies_in_its_interval(pairs: list[tuple[float, float]]) -> None:
    found = compared("old", "new", pairs)
    assert found.gain == pytest.approx(found.new.mean - found.old.mean)
    assert found.interval.low - 1e-9 <= found.gain <= found.interval.high + 1e-9
    assert 0 < found.p <= 1
    turned = compared("new", "old", [(late, early) for early, late in pairs])
    assert turned.gain == pytest.approx(-found.gain)
    assert turned.p + found.p >= 1 - 1e-9


def test_a_figure_of_right_and_wrong_has_an_interval_of_a_proportion() -> None:
    found = figure("p", [1.0, 0.0, 1.0, 1.0])
    assert (found.tasks, found.mean) == (4, 0.75)
    assert 0 < found.interval.low < 0.75 < found.interval.high < 1
    assert figure("p", []).mean == 0


def test_two_values_are_right_and_wrong_whatever_they_are_called() -> None:
    its = figure("a", [1.0, -1.0, 1.0, 1.0])
    share = wilson(3, 4)
    assert its.interval == Interval(2 * share.low - 1, 2 * share.high - 1)
    both = compared("a", "b", [(-1.0, 1.0), (-1.0, -1.0), (1.0, 1.0)])
    assert both.test == "exact McNemar"
    assert both.gain == pytest.approx(2 / 3)
    share = newcombe(both=1, wins=1, losses=0, neither=1)
    assert both.interval == Interval(2 * share.low, 2 * share.high)


def test_scores_that_are_known_to_go_below_0_have_intervals_as_wide_as_those_that_do() -> None:
    """Six right both times say of the wrong ones what six wrong both times say of the right ones."""
    right, wrong = [(1.0, 1.0)] * 6, [(-1.0, -1.0)] * 6
    wide = compared("a", "b", wrong).interval.high
    assert compared("a", "b", right).interval.high == pytest.approx(wide / 2)
    assert compared("a", "b", right, least=-1.0).interval.high == pytest.approx(wide)
    assert figure("a", [1.0] * 6, -1.0).interval.low == pytest.approx(-figure("a", [-1.0] * 6).interval.high)
    alike = [(0.5, 0.6)] * 6
    spans = [compared("a", "b", alike, least=least).interval for least in (0.0, -1.0)]
    assert spans[1].low == pytest.approx(2 * spans[0].low - 0.1)


def test_scores_of_0_and_1_are_right_and_wrong_whatever_others_go_down_to() -> None:
    pairs = [(0.0, 1.0), (1.0, 1.0), (0.0, 0.0)]
    assert compared("a", "b", pairs, least=-1.0).interval == compared("a", "b", pairs).interval
    nothing = compared("a", "b", [(0.0, 0.0)] * 6, least=-1.0)
    assert nothing.interval.high > compared("a", "b", [(0.0, 0.0)] * 6).interval.high


def test_equal_values_do_not_tell_a_mean_exactly() -> None:
    thirty = figure("a", [0.6] * 30).interval
    assert thirty.low == pytest.approx(0.5)
    assert thirty.high == pytest.approx(0.7)
    two = compared("a", "b", [(0.1, 0.6), (0.1, 0.6)])
    assert two.interval.low < 0 < two.interval.high


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=1, max_size=30))
def test_no_interval_leaves_what_is_possible(pairs: list[tuple[float, float]]) -> None:
    its = compared("a", "b", pairs)
    for one in (its.old, its.new):
        assert -1 <= one.interval.low <= one.mean + 1e-9
        assert one.mean - 1e-9 <= one.interval.high <= 1
    assert -2 <= its.interval.low <= its.interval.high <= 2
