"""What ``benchmarks/grpo_learning.py`` has come to, seeds pooled, with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from statistics import NormalDist, mean
from typing import Any

from benchmarks.peers.learning_task import ANSWERS

Run = Mapping[str, Any]
Rate = tuple[float, float]
"""Successes, and of how many."""

Z = NormalDist().inv_cdf(0.975)
SIDES = ("cesello", "trl")


def wilson(rate: Rate) -> tuple[float, float]:
    """The 95 % interval of a proportion, by the score (Wilson, 1927)."""
    successes, count = rate
    p, denominator = successes / count, 1 + Z**2 / count
    middle = p + Z**2 / (2 * count)
    half = Z * sqrt(p * (1 - p) / count + Z**2 / (4 * count**2))
    return (middle - half) / denominator, (middle + half) / denominator


def difference(one: Rate, other: Rate) -> tuple[float, float, float]:
    """``one`` minus ``other``, and its 95 % interval.

    Method 10 of Newcombe, "Interval estimation for the difference between independent proportions:
    comparison of eleven methods", Statistics in Medicine 17 (1998), 873-890. The rows here are the same on
    both sides, which makes the interval wider than it had to be, where they are hard for both.
    """
    (p, (low, high)), (q, (least, most)) = ((rate[0] / rate[1], wilson(rate)) for rate in (one, other))
    return (
        p - q,
        p - q - sqrt((p - low) ** 2 + (most - q) ** 2),
        p - q + sqrt((high - p) ** 2 + (q - least) ** 2),
    )


def pooled(runs: Sequence[Run], when: str, kind: str) -> Rate:
    """Over seeds and sources. The drawn answers to a row count as one: they are not independent."""
    tallies = [tally for run in runs for tally in run[when][kind].values()]
    share = ANSWERS if kind == "drawn" else 1
    return sum(right for right, _ in tallies) / share, sum(count for _, count in tallies) / share


def table(runs: Sequence[Run]) -> Iterator[str]:
    """Lines to be read; runs of other lengths or on other rows are other tables."""
    for task, steps, rows in dict.fromkeys((one["task"], one["steps"], one["rows"]) for one in runs):
        mine = [one for one in runs if (one["task"], one["steps"], one["rows"]) == (task, steps, rows)]
        yield f"{task}: {steps} steps of {mine[0]['rollouts'] // steps} rollouts, {rows} held-out rows a seed"
        for side in SIDES:
            if its := [one for one in mine if one["side"] == side]:
                yield from _side(side, its)
        seeds = [{one["seed"] for one in mine if one["side"] == side} for side in SIDES]
        both = [one for one in mine if one["seed"] in set.intersection(*seeds)]
        for kind in ("greedy", "drawn") if both else ():
            rates = [pooled([one for one in both if one["side"] == side], "after", kind) for side in SIDES]
            yield f"  after, {kind:6}: cesello - trl {_difference(*rates)}"


def _side(side: str, runs: Sequence[Run]) -> Iterator[str]:
    for one in sorted(runs, key=lambda one: one["seed"]):
        yield f"  {side:7} seed {one['seed']}: {_figures([one])}"
    yield f"  {side:7} together: {_figures(runs)}"
    for kind in ("greedy", "drawn"):
        after, before = (pooled(runs, when, kind) for when in ("after", "before"))
        yield f"    {kind:6}: after - before {_difference(after, before)}"


def _figures(runs: Sequence[Run]) -> str:
    rates = [
        f"{kind} {_percent(pooled(runs, 'before', kind))} -> {_percent(pooled(runs, 'after', kind))}"
        for kind in ("greedy", "drawn")
    ]
    kl, minutes = (mean(one["after"]["kl"] for one in runs), mean(one["minutes"] for one in runs))
    first, last = (mean(one["reward"][f"{at} 10 steps"] for one in runs) for at in ("first", "last"))
    return ", ".join([*rates, f"KL {kl:.3f}, reward {first:.3f} -> {last:.3f}, {minutes:.1f} min"])


def _percent(rate: Rate) -> str:
    return f"{rate[0] / rate[1]:.1%}"


def _difference(one: Rate, other: Rate) -> str:
    between, low, high = (100 * value for value in difference(one, other))
    return f"{between:+.1f} points, 95 % {low:+.1f} to {high:+.1f}"
