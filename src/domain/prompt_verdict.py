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
        interval: at 95 %: Wilson's of a proportion where all scores are 0 or 1, else Student's of a mean.
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
        interval: of the gain at 95 %: Newcombe's of paired proportions where all scores are 0 or 1, else
            Student's of the paired differences.
        p: one-sided, that the new one is better: exact McNemar, or the sign-flip test.
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


def figure(program: str, scores: Sequence[float]) -> Figure:
    """Of one program; no scores give a mean of 0 and an interval that says nothing."""
    interval = wilson(sum(scores), len(scores)) if is_binary(scores) else student(scores)
    return Figure(program, len(scores), fmean(scores) if scores else 0.0, interval)


def is_binary(scores: Sequence[float]) -> bool:
    """Whether every score is right or wrong."""
    return all(score in (0.0, 1.0) for score in scores)


def compared(old: str, new: str, pairs: Sequence[tuple[float, float]], seed: int = 0) -> Comparison:
    """Judges a new program against an old one.

    Args:
        pairs: (old, new) scores of the same task, one a task.
        seed: of the sign-flip test where it has to draw.
    """
    before, after = [one for one, _ in pairs], [one for _, one in pairs]
    differences = [late - early for early, late in pairs]
    wins, losses = (sum(sign * one > 0 for one in differences) for sign in (1, -1))
    binary = is_binary(before + after)
    if binary:
        both = sum(early == late == 1 for early, late in pairs)
        interval = newcombe(both, wins, losses, len(pairs) - both - wins - losses)
    else:
        interval = student(differences)
    return Comparison(
        old=figure(old, before),
        new=figure(new, after),
        gain=fmean(differences) if differences else 0.0,
        interval=interval,
        p=sign_flip(differences, seed=seed),
        test="exact McNemar" if binary else "sign flip",
        wins=wins,
        losses=losses,
    )


def verdict(comparison: Comparison | None) -> PromptVerdict:
    """Proven at p <= 0.05, promising at p <= 0.2; else, and where nothing was found, keep the seed.

    The test part is asked once and decides alone, so that a seed which is as good as the winner is given up
    in at most one of five searches, and in at most one of twenty "proven".
    """
    if comparison is None or comparison.p > PROMISING:
        return PromptVerdict.KEEP
    return PromptVerdict.PROVEN if comparison.p <= PROVEN else PromptVerdict.PROMISING
