from __future__ import annotations

from itertools import product
from math import comb, exp, inf, isclose, lgamma, log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.statistics import (
    Beta,
    Interval,
    mcnemar,
    newcombe,
    newcombe_unpaired,
    probability_greater,
    sign_flip,
    student,
    student_quantile,
    wilson,
)

counts = st.integers(0, 40)
shapes = st.floats(0.5, 300)
steps = st.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.5, 1.0])


def test_wilson_is_that_of_a_table() -> None:
    # Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I: 81 of 263.
    interval = wilson(81, 263)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.2553, 0.3662)
    assert wilson(0, 20).low == 0
    assert round(wilson(0, 20).high, 4) == 0.1611
    assert wilson(0, 0) == Interval(0.0, 1.0)


@given(st.integers(1, 200), st.data())
def test_wilson_holds_the_share_and_is_symmetric(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    interval = wilson(successes, trials)
    assert 0 <= interval.low <= successes / trials <= interval.high <= 1
    other = wilson(trials - successes, trials)
    assert isclose(interval.low, 1 - other.high, abs_tol=1e-12)


def test_wilson_covers_as_often_as_it_says() -> None:
    covered = 0.0
    for hits in range(51):
        chance = comb(50, hits) * 0.3**hits * 0.7 ** (50 - hits)
        covered += chance * (0.3 in wilson(hits, 50))
    assert 0.93 < covered < 0.97


@given(counts, counts)
def test_mcnemar_is_the_binomial_tail(wins: int, losses: int) -> None:
    p = mcnemar(wins, losses)
    assert 0 < p <= 1
    equal = comb(wins + losses, wins) / 2 ** (wins + losses)
    assert isclose(p + mcnemar(losses, wins), 1 + equal)
    assert mcnemar(wins + 1, losses) < p or losses == wins == 0
    assert mcnemar(wins, losses, two_sided=True) == mcnemar(losses, wins, two_sided=True)


def test_mcnemar_of_known_counts() -> None:
    assert mcnemar(0, 0) == 1
    assert mcnemar(5, 0) == 1 / 32
    assert mcnemar(9, 3) == pytest.approx(0.0729980)
    assert mcnemar(9, 3, two_sided=True) == pytest.approx(0.1459961)


@given(st.lists(steps, max_size=9))
def test_sign_flip_counts_every_choice_of_signs(differences: list[float]) -> None:
    choices = list(product((1, -1), repeat=len(differences)))
    sums = [sum(s * d for s, d in zip(signs, differences, strict=True)) for signs in choices]
    seen = sum(differences)
    assert sign_flip(differences) == pytest.approx(sum(one >= seen - 1e-9 for one in sums) / len(sums))
    both = sum(abs(one) >= abs(seen) - 1e-9 for one in sums) / len(sums)
    assert sign_flip(differences, two_sided=True) == pytest.approx(min(1.0, both), abs=1e-9) or seen == 0


@given(counts, counts, st.integers(0, 20))
def test_sign_flip_of_right_and_wrong_is_mcnemar(wins: int, losses: int, ties: int) -> None:
    differences = [1.0] * wins + [-1.0] * losses + [0.0] * ties
    assert sign_flip(differences) == pytest.approx(mcnemar(wins, losses), rel=1e-12)


@given(counts, counts)
def test_mid_p_counts_what_was_seen_by_half(wins: int, losses: int) -> None:
    differences = [1.0] * wins + [-1.0] * losses
    seen = comb(wins + losses, wins) / 2 ** (wins + losses)
    its = sign_flip(differences, mid=True)
    assert its == pytest.approx(mcnemar(wins, losses) - seen / 2)
    assert its + sign_flip([-one for one in differences], mid=True) == pytest.approx(1)


def test_mid_p_is_drawn_too() -> None:
    random = Random(3)
    differences = [random.choice((1.0, -1.0)) * random.random() for _ in range(40)]
    exact, mid = (sign_flip(differences, mid=mid, seed=1) for mid in (False, True))
    assert 0 < mid <= exact  # no two sums are equal, so that there is hardly anything to count by half
    assert mid == pytest.approx(exact, abs=0.001)
    many = [1.0] * 1200 + [-1.0] * 1100
    assert 0 < sign_flip(many, mid=True) < sign_flip(many) < 0.05


@pytest.mark.parametrize(("level", "at_most"), [(0.05, 0.051), (0.2, 0.203)])
def test_mid_p_errs_no_more_often_than_it_says_where_nothing_differs(level: float, at_most: float) -> None:
    """Whatever the share of tasks on which two equally good ones differ, up to a half."""
    ships = [
        sum(
            comb(n, won)
            for won in range(n + 1)
            if mcnemar(won, n - won) - comb(n, won) / 2 ** (n + 1) <= level
        )
        / 2**n
        for n in range(76)
    ]
    for tasks in (10, 30, 75):
        for differ in range(1, 11):
            share = differ / 20
            chances = (comb(tasks, n) * share**n * (1 - share) ** (tasks - n) for n in range(tasks + 1))
            assert sum(chance * ships[n] for n, chance in enumerate(chances)) <= at_most


def test_sign_flip_draws_where_there_are_too_many_sums() -> None:
    random = Random(4)
    differences = [random.random() - 0.45 for _ in range(60)]
    one, again, other = (sign_flip(differences, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert 0 < abs(one - other) < 0.02
    assert sign_flip([random.random() for _ in range(60)]) == 1 / 20_001


def test_sign_flip_rarely_errs_where_nothing_differs() -> None:
    random = Random(7)
    hits = sum(sign_flip([random.choice((-1.0, 0.0, 1.0)) for _ in range(30)]) <= 0.2 for _ in range(500))
    assert hits / 500 <= 0.2 + 2 * (0.16 / 500) ** 0.5


def test_newcombe_is_that_of_a_paper() -> None:
    # Fagerland, Lydersen and Laake (2014), the airway data: 1, 1, 7 and 12 of 21; square-and-add.
    interval = newcombe(1, 1, 7, 12)
    assert (round(interval.low, 3), round(interval.high, 3)) == (-0.507, -0.026)
    assert newcombe(0, 0, 0, 0) == Interval(-1.0, 1.0)


@given(counts, counts, counts, counts)
def test_newcombe_holds_the_difference_and_mirrors(both: int, wins: int, losses: int, neither: int) -> None:
    n = both + wins + losses + neither
    interval, mirrored = newcombe(both, wins, losses, neither), newcombe(both, losses, wins, neither)
    assert -1 <= interval.low <= interval.high <= 1
    assert (wins - losses) / max(n, 1) in Interval(interval.low - 1e-12, interval.high + 1e-12)
    assert isclose(interval.low, -mirrored.high, abs_tol=1e-12)


def test_newcombe_of_other_tasks_is_that_of_the_paper() -> None:
    # Newcombe (1998), table II, method 10: 56/70 - 48/80, and 9/10 - 3/10.
    intervals = newcombe_unpaired(56, 70, 48, 80), newcombe_unpaired(9, 10, 3, 10)
    assert [(round(one.low, 4), round(one.high, 4)) for one in intervals] == [
        (0.0524, 0.3339),
        (0.1705, 0.8090),
    ]
    assert newcombe_unpaired(0, 0, 3, 10) == Interval(-1.0, 1.0)


@given(counts, counts, counts, counts)
def test_newcombe_of_other_tasks_holds_the_difference_and_mirrors(a: int, b: int, c: int, d: int) -> None:
    new, old = (a, a + b + 1), (c, c + d + 1)
    interval, mirrored = newcombe_unpaired(*new, *old), newcombe_unpaired(*old, *new)
    assert -1 <= interval.low <= new[0] / new[1] - old[0] / old[1] <= interval.high <= 1
    assert isclose(interval.low, -mirrored.high, abs_tol=1e-12)


def test_student_is_that_of_a_table() -> None:
    assert student_quantile(0.975, 10) == pytest.approx(2.228139, abs=1e-6)
    assert student_quantile(0.975, 1) == pytest.approx(12.7062, abs=1e-4)
    assert student_quantile(0.025, 10) == pytest.approx(-2.228139, abs=1e-6)
    interval = student([1, 2, 3, 4, 5])
    assert (interval.low, interval.high) == pytest.approx((3 - 1.963243, 3 + 1.963243), abs=1e-5)
    assert student([1.0]) == Interval(-inf, inf)


@given(shapes, shapes, st.floats(0.001, 0.999))
def test_a_quantile_is_the_inverse_of_the_distribution(alpha: float, beta: float, share: float) -> None:
    belief = Beta(alpha, beta)
    found = belief.quantile(share)
    # Where nearly all of it lies at one end the distribution climbs by more than that within a last digit.
    assert belief.cdf(found - 1e-13) - 1e-9 <= share <= belief.cdf(found + 1e-13) + 1e-9
    assert belief.cdf(share) == pytest.approx(1 - Beta(beta, alpha).cdf(1 - share), abs=1e-9)


@given(st.integers(1, 30), st.integers(1, 30), st.floats(0.01, 0.99))
def test_the_distribution_is_a_binomial_tail(alpha: int, beta: int, value: float) -> None:
    n = alpha + beta - 1
    tail = sum(comb(n, k) * value**k * (1 - value) ** (n - k) for k in range(alpha, n + 1))
    assert Beta(alpha, beta).cdf(value) == pytest.approx(tail, abs=1e-10)


def _summed(one: Beta, other: Beta) -> float:
    """P(X > Y) of whole counts, as a finite sum (Miller, 2015, "Formulas for Bayesian A/B testing")."""

    def log_beta(a: float, b: float) -> float:
        return lgamma(a) + lgamma(b) - lgamma(a + b)

    return sum(
        exp(
            log_beta(other.alpha + i, one.beta + other.beta)
            - log(one.beta + i)
            - log_beta(1 + i, one.beta)
            - log_beta(other.alpha, other.beta)
        )
        for i in range(int(one.alpha))
    )


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60), st.integers(1, 60))
def test_the_chance_of_being_greater_is_the_known_sum(a: int, b: int, c: int, d: int) -> None:
    one, other = Beta(a, b), Beta(c, d)
    assert probability_greater(one, other) == pytest.approx(_summed(one, other), abs=1e-9)


@given(shapes, shapes, shapes, shapes)
def test_one_of_two_is_greater(a: float, b: float, c: float, d: float) -> None:
    one, other = Beta(a, b), Beta(c, d)
    assert probability_greater(one, other) + probability_greater(other, one) == pytest.approx(1, abs=1e-7)
    assert probability_greater(one, other, by=0.1) <= probability_greater(one, other) + 1e-9


def test_a_belief_grows_by_what_was_seen() -> None:
    belief = Beta().after(3, 1.5)
    assert belief == Beta(4, 2.5)
    assert belief.mean == pytest.approx(4 / 6.5)
    assert belief.variance == pytest.approx(4 * 2.5 / (6.5**2 * 7.5))
    interval = Beta(30, 10).interval()
    assert interval.low < 0.75 < interval.high
    with pytest.raises(ValueError, match="positive"):
        Beta(0, 1)
