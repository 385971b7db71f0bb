"""What figures of few tasks say: intervals of proportions and gains, exact paired tests, Beta posteriors.

Everything is exact or says how it is approximated, and the standard library suffices. "Greater" is always
the first of two, or the difference "new minus old"; a test is one-sided unless it is told otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, exp, inf, lgamma, log, log1p, sqrt
from random import Random
from statistics import NormalDist, fmean, variance

_UNIT = 1e-9
"""Differences are counted in this when sums of them are compared, so that equal sums are equal."""

_SUMS = 20_000
"""Distinct sums up to which the sign-flip test is exact; the scores of most rewards give a few hundred."""

_DRAWS = 20_000


@dataclass(frozen=True, slots=True)
class Interval:
    """From ``low`` to ``high``, both included."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def wilson(successes: float, trials: float, confidence: float = 0.95) -> Interval:
    """The interval of a proportion by the score test (Wilson, 1927); of no trials it is all of [0, 1].

    Args:
        successes: out of ``trials``; both may be weighted counts.
    """
    if not trials:
        return Interval(0.0, 1.0)
    z, p = _z(confidence), successes / trials
    middle = (p + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    return Interval(
        0.0 if successes == 0 else max(0.0, middle - half), 1.0 if p == 1 else min(1.0, middle + half)
    )


def mcnemar(wins: int, losses: int, *, two_sided: bool = False) -> float:
    """The exact test of two proportions on the same tasks (McNemar, 1947): p of so many wins by chance.

    Only tasks where the two differ say anything: were the two equally good, each of these would be won with
    probability one half, so that the wins are binomial.

    Args:
        wins: tasks that the new one solves and the old one does not; ``losses`` the other way round.
    """
    if two_sided:
        return min(1.0, 2 * mcnemar(max(wins, losses), min(wins, losses)))
    n = wins + losses
    return sum(comb(n, k) for k in range(wins, n + 1)) / (1 << n)


def sign_flip(
    differences: Sequence[float], *, two_sided: bool = False, mid: bool = False, seed: int = 0
) -> float:
    """The paired permutation test (Fisher, 1935): p of so large a sum of differences by chance.

    Were the two equally good, every difference could as well have had the other sign. The share of all 2^n
    choices of signs whose sum is at least that observed is counted exactly, by adding one task after another
    to the distribution of sums; where there are too many distinct sums it is estimated from 20,000 seeded
    choices as (hits + 1) / (draws + 1), which is valid too (Phipson & Smyth, 2010). Of differences that are
    all -1, 0 or 1 it is ``mcnemar``.

    Args:
        differences: of the scores on each task, new minus old.
        mid: counts half of the choices whose sum is just that observed (mid-p; Lancaster, 1961). Of right and
            wrong answers the exact p is larger than need be: two equally good prompts that differ on no more
            than half of 5 to 200 tasks come to p <= 0.2 in at most 5 to 17 % of cases, and to p <= 0.05 in
            0 to 4 %; by mid-p in at most 17 to 20 %, and 1 to 5 %.
    """
    halves = 1 if mid else 2
    whole = [abs(units) for units in map(_units, differences) if units]
    seen = sum(map(_units, differences))
    if two_sided:
        seen = abs(seen)
    tail = _exact_tail(whole, seen, halves)
    if tail is None:
        tail = _drawn_tail(whole, seen, Random(seed), halves)
    return min(1.0, 2 * tail) if two_sided else tail


def _units(difference: float) -> int:
    return round(difference / _UNIT)


def _exact_tail(sizes: Sequence[int], seen: int, halves: int) -> float | None:
    """The share of choices of signs with a sum of at least ``seen``; None where there are too many sums.

    Args:
        halves: that a choice with just that sum counts.
    """
    ways = {0: 1}
    for size in sizes:
        grown: dict[int, int] = {}
        for total, count in ways.items():
            grown[total + size] = grown.get(total + size, 0) + count
            grown[total - size] = grown.get(total - size, 0) + count
        if len(grown) > _SUMS:
            return None
        ways = grown
    above = sum(count for total, count in ways.items() if total > seen)
    return (2 * above + halves * ways.get(seen, 0)) / (2 << len(sizes))


def _drawn_tail(sizes: Sequence[int], seen: int, random: Random, halves: int) -> float:
    hits = 0
    for _ in range(_DRAWS):
        signs = random.getrandbits(len(sizes))
        total = sum(size if signs >> at & 1 else -size for at, size in enumerate(sizes))
        hits += halves if total == seen else 2 * (total > seen)
    return (hits / 2 + 1) / (_DRAWS + 1)


def newcombe(both: int, wins: int, losses: int, neither: int, confidence: float = 0.95) -> Interval:
    """The interval of the difference of two proportions on the same tasks, new minus old.

    Method 10 of Newcombe (1998, "Improved confidence intervals for the difference between binomial
    proportions based on paired data"): the Wilson intervals of the two, joined with their correlation.

    Args:
        both: tasks that both solve; ``neither``: that none solves; ``wins``: that only the new one solves.
    """
    n = both + wins + losses + neither
    if not n:
        return Interval(-1.0, 1.0)
    new, old = (both + wins) / n, (both + losses) / n
    of_new, of_old = (wilson(count, n, confidence) for count in (both + wins, both + losses))
    phi = _phi(both, wins, losses, neither)
    low = _joined(new - of_new.low, of_old.high - old, phi)
    high = _joined(of_new.high - new, old - of_old.low, phi)
    return Interval(max(-1.0, new - old - low), min(1.0, new - old + high))


def newcombe_unpaired(
    new: float, new_trials: float, old: float, old_trials: float, confidence: float = 0.95
) -> Interval:
    """The interval of the difference of two proportions on tasks of their own, new minus old.

    Method 10 of Newcombe (1998, "Interval estimation for the difference between independent proportions:
    comparison of eleven methods"). Where the tasks are the same it is wider than it need be.

    Args:
        new: successes out of ``new_trials``; sums of figures within [0, 1] too, whose spread is no larger.
    """
    if not new_trials or not old_trials:
        return Interval(-1.0, 1.0)
    of_new, of_old = wilson(new, new_trials, confidence), wilson(old, old_trials, confidence)
    late, early = new / new_trials, old / old_trials
    low = _joined(late - of_new.low, of_old.high - early, 0.0)
    high = _joined(of_new.high - late, early - of_old.low, 0.0)
    return Interval(max(-1.0, late - early - low), min(1.0, late - early + high))


def _phi(both: int, wins: int, losses: int, neither: int) -> float:
    """The correlation, with the correction for continuity of that method."""
    margins = (both + wins) * (losses + neither) * (both + losses) * (wins + neither)
    product = float(both * neither - wins * losses)
    if product > 0:
        product = max(0.0, product - (both + wins + losses + neither) / 2)
    return product / sqrt(margins) if margins else 0.0


def _joined(one: float, other: float, phi: float) -> float:
    return sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))


def student(differences: Sequence[float], confidence: float = 0.95) -> Interval:
    """The interval of the mean of paired differences (Student, 1908); of fewer than two it is all numbers.

    Of scores in a few steps it is approximate, as its normal distribution is of the mean alone.
    """
    n = len(differences)
    if n < 2:
        return Interval(-inf, inf)
    half = student_quantile((1 + confidence) / 2, n - 1) * sqrt(variance(differences) / n)
    return Interval(fmean(differences) - half, fmean(differences) + half)


def student_quantile(probability: float, freedom: float) -> float:
    """The quantile of Student's t, by its tie to the Beta distribution: t^2 / (t^2 + n) is Beta(1/2, n/2)."""
    if probability < 0.5:
        return -student_quantile(1 - probability, freedom)
    share = Beta(0.5, freedom / 2).quantile(2 * probability - 1)
    return sqrt(freedom * share / (1 - share)) if share < 1 else inf


@dataclass(frozen=True, slots=True)
class Beta:
    """What is believed of a probability after ``alpha`` successes and ``beta`` failures, prior included.

    The uniform prior is ``Beta()``, that of Jeffreys ``Beta(0.5, 0.5)``. Counts may be fractions, of old
    observations that count less for example.
    """

    alpha: float = 1.0
    beta: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.alpha < inf and 0 < self.beta < inf):
            raise ValueError(f"Beta({self.alpha}, {self.beta}): both must be positive and finite")

    @property
    def mean(self) -> float:
        return self.alpha / (self.alpha + self.beta)

    @property
    def variance(self) -> float:
        total = self.alpha + self.beta
        return self.alpha * self.beta / (total * total * (total + 1))

    def after(self, successes: float, failures: float) -> Beta:
        """The posterior once these were seen, weighted counts too."""
        return Beta(self.alpha + successes, self.beta + failures)

    def cdf(self, value: float) -> float:
        """P(X <= value): the regularised incomplete beta function (DLMF 8.17)."""
        if value <= 0 or value >= 1:
            return float(value >= 1)
        front = exp(self.alpha * log(value) + self.beta * log1p(-value) - _log_beta(self.alpha, self.beta))
        # The fraction converges fast on the left of the mean; the right is the left of the mirror image.
        if value < (self.alpha + 1) / (self.alpha + self.beta + 2):
            return min(1.0, front * _fraction(self.alpha, self.beta, value) / self.alpha)
        return max(0.0, 1 - front * _fraction(self.beta, self.alpha, 1 - value) / self.beta)

    def quantile(self, probability: float) -> float:
        """The value that X is below with that probability, by bisection to the last digit but three."""
        low, high = 0.0, 1.0
        while high - low > 1e-13 * max(high, 1e-300) and low < (middle := (low + high) / 2) < high:
            low, high = (middle, high) if self.cdf(middle) < probability else (low, middle)
        return (low + high) / 2

    def interval(self, confidence: float = 0.95) -> Interval:
        """The central credible interval."""
        return Interval(self.quantile((1 - confidence) / 2), self.quantile((1 + confidence) / 2))


def probability_greater(one: Beta, other: Beta, by: float = 0.0) -> float:
    """P(X > Y + by) of two independent probabilities, to about nine digits where no count is below 1/2.

    The integral of the density of X times the distribution function of Y, over the logit of X: there the
    integrand is smooth and falls off exponentially on both sides, and the trapezoidal rule converges
    exponentially (Trefethen & Weideman, 2014). With ``by`` the integrand has a bend and two digits fewer are
    right.
    """
    step = min(0.5, 0.25 * _width(one), 0.35 * _width(other))
    peak = log(one.alpha / one.beta)
    scale = _log_beta(one.alpha, one.beta)

    def density(at: float) -> float:
        return exp(_log_share(at) * one.alpha + _log_share(-at) * one.beta - scale)

    total = 0.0
    for direction, first in ((1, 0), (-1, 1)):
        k = first
        while (weight := density(peak + direction * k * step)) > 1e-14 * density(peak):
            total += weight * other.cdf(exp(_log_share(peak + direction * k * step)) - by)
            k += 1
    return min(1.0, max(0.0, total * step))


def _width(belief: Beta) -> float:
    """About the standard deviation of the logit."""
    return sqrt(1 / belief.alpha + 1 / belief.beta)


def _log_share(logit: float) -> float:
    """log(1 / (1 + exp(-logit))), without overflow."""
    return -log1p(exp(-logit)) if logit > -30 else logit


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method."""
    tiny, c, d = 1e-300, 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d or tiny)
    value = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1 / ((1 + even * d) or tiny), (1 + even / c) or tiny
        value *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / ((1 + odd * d) or tiny), (1 + odd / c) or tiny
        value *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return value


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)
