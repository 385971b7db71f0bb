"""Whether a prompt is better than another on the same tasks, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean

from .statistics import Interval, newcombe, sign_flip, student, wilson

PROVEN = 0.05
PROMISING = 0.2


class PromptVerdict(StrEnum):
    """What a search ends with; the first two ship the winner."""

    PROVEN = "proven"
    PROMISING = "promising"
    KEEP = "keep yours"

    @property
    def ships(self) -> bool:
        return self is not PromptVerdict.KEEP


@dataclass(frozen=True, slots=True)
class Figure:
    """The mean score of a program over tasks.

    Attributes:
        interval: at 95 %: Wilson's of a proportion where all scores are right or wrong, else
            ``bounded_mean``.
    """

    program: str
    tasks: int
    mean: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two programs on the same tasks.

    Attributes:
        gain: of the mean score, new minus old.
        interval: of the gain at 95 %: Newcombe's of paired proportions where all scores are right or wrong,
            else ``bounded_mean`` of the paired differences.
        p: one-sided, that the new one is better: by McNemar's test, or the sign-flip test; exact, or mid-p.
        test: which of them.
        wins, losses: tasks on which the new one scores higher, lower.
    """

    old: Figure
    new: Figure
    gain: float
    interval: Interval
    p: float
    test: str
    wins: int
    losses: int


def figure(program: str, scores: Sequence[float], least: float = 0.0) -> Figure:
    """Of one program; no scores give a mean of 0 and an interval that says nothing.

    Args:
        least: that such scores are known to go down to, whether or not these do.
    """
    low, high = _range(scores, least)
    if _is_binary(scores, low):
        share = wilson(sum(score == high for score in scores), len(scores))
        interval = _scaled(share, low, high)
    else:
        interval = bounded_mean(scores, low, high)
    return Figure(program, len(scores), fmean(scores) if scores else low, interval)


def _is_binary(scores: Sequence[float], low: float) -> bool:
    """Whether every score is right or wrong: at one end of their range or the other."""
    return set(scores) <= {low, 1.0}


def _range(scores: Sequence[float], least: float) -> tuple[float, float]:
    """What scores of the kind lie within.

    Scores of which some are 0 and all others 1 are right or wrong, whatever else there is in the run.
    """
    known = 0.0 if set(scores) == {0.0, 1.0} else least
    return (-1.0 if any(score < 0 for score in (known, *scores)) else 0.0), 1.0


def _scaled(share: Interval, low: float, high: float) -> Interval:
    return Interval(low + share.low * (high - low), low + share.high * (high - low))


def bounded_mean(values: Sequence[float], low: float, high: float) -> Interval:
    """The interval of the mean of values that lie within a range, at 95 %: Student's, cut to the range.

    Where all values are equal it is the rule of three's (Hanley & Lippman-Hand, 1983): of what did not come
    in n tries there may be up to 3 / n, and it may be as far away as the range allows.
    """
    if not values:
        return Interval(low, high)
    mean = fmean(values)
    if min(values) == max(values):
        unseen = min(1.0, 3 / len(values)) * (high - low)
        return Interval(max(low, mean - unseen), min(high, mean + unseen))
    its = student(values)
    return Interval(max(low, its.low), min(high, its.high))


def compared(
    old: str,
    new: str,
    pairs: Sequence[tuple[float, float]],
    seed: int = 0,
    *,
    mid: bool = False,
    least: float = 0.0,
) -> Comparison:
    """Judges a new program against an old one.

    Args:
        pairs: (old, new) scores of the same task, one a task.
        seed: of the sign-flip test where it has to draw.
        mid: p is ``sign_flip``'s mid-p.
        least: that such scores are known to go down to, whether or not these do.
    """
    before, after = [one for one, _ in pairs], [one for _, one in pairs]
    differences = [late - early for early, late in pairs]
    wins, losses = (sum(sign * one > 0 for one in differences) for sign in (1, -1))
    low, high = _range(before + after, least)
    binary = _is_binary(before + after, low)
    if binary:
        both = sum(early == late == high for early, late in pairs)
        share = newcombe(both, wins, losses, len(pairs) - both - wins - losses)
        interval = Interval(share.low * (high - low), share.high * (high - low))
    else:
        interval = bounded_mean(differences, low - high, high - low)
    return Comparison(
        old=figure(old, before, least),
        new=figure(new, after, least),
        gain=fmean(differences) if differences else 0.0,
        interval=interval,
        p=sign_flip(differences, mid=mid, seed=seed),
        test=("McNemar, mid-p" if mid else "exact McNemar") if binary else "sign flip",
        wins=wins,
        losses=losses,
    )


def verdict(comparison: Comparison | None) -> PromptVerdict:
    """Proven at p <= 0.05, promising at p <= 0.2; else, and where nothing was found, keep the seed.

    The test part is asked once and decides alone, so that a seed which is as good as the winner is given up
    in about one of five searches at most, and in one of twenty "proven". For this p is a mid-p: an exact one
    is kept to less than that, and keeps the seed where a winner is better by little.
    """
    if comparison is None or comparison.p > PROMISING:
        return PromptVerdict.KEEP
    return PromptVerdict.PROVEN if comparison.p <= PROVEN else PromptVerdict.PROMISING
