"""What checks of a run are made of: what one says, and the figures of the first steps and the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from statistics import variance

from .recorded_run import RecordedRun, course


class Level(StrEnum):
    """How much it matters."""

    WRONG = "wrong"
    """The result is not to be relied on before this is understood."""
    LOOK = "look"
    """Worth a look."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a check found, in a sentence with its figures.

    Attributes:
        fix: what to do, where that is not what ``ADVICE`` has.
    """

    text: str
    level: Level = Level.LOOK
    fix: str = ""


Verdict = Said | bool
"""What was found; else whether there was anything to look at."""

NOTHING_TO_LOOK_AT, FINE = False, True

AT_AN_END = 5
"""Steps at either end that are compared, at least: a single one says little."""

STEPS = 10
"""Fewer steps than that show no course."""

CLEAR = 2.0
"""Standard errors beyond which a difference is hardly chance (about 5 % of the time, by the normal law)."""

_SHARE = 5
"""One part of so many at either end of a long run: long enough to even out noise, short enough to differ."""


def values(run: RecordedRun, log: str, name: str) -> list[float]:
    """A figure at all steps that tell it."""
    return [value for _, value in course(run.log(log), name)]


def ends(figures: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    """The first of them and the last."""
    count = min(len(figures), max(AT_AN_END, len(figures) // _SHARE))
    return figures[:count], figures[-count:]


def error(one: Sequence[float], other: Sequence[float]) -> float:
    """The standard error of the difference of two means."""
    return sqrt(sum(variance(figures) / len(figures) for figures in (one, other) if len(figures) > 1))


def steps(numbers: Sequence[int]) -> str:
    """The first of them by number."""
    shown = ", ".join(map(str, numbers[:5]))
    more = f" and {len(numbers) - 5} more" if len(numbers) > 5 else ""
    return f"step{'s' if len(numbers) > 1 else ''} {shown}{more}"


def sentence(said: Sequence[str]) -> str:
    """All of them as one."""
    joined = "; ".join(said)
    return f"{joined[:1].upper()}{joined[1:]}."
