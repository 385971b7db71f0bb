"""What prompts with a procedure, or with something of the memory, brought against those that went without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, variance

from .recorded_run import Line, RecordedRun, figure, part, text, whole
from .report_gains import gain_interval, score_interval, score_range
from .report_groups import retrieved
from .statistics import Interval, student, student_quantile

HELD_OUT = "off"
"""The mode of a prompt that goes without what it could have been given, to compare."""

_NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Arm:
    """Prompts that were given the same.

    Attributes:
        given: what; ``mode`` how.
        prompts: of the mean rewards of their answers ``mean`` is the mean.
        interval: at 95 %, by Student's t over prompts; where all are alike, ``score_interval``.
    """

    given: str
    mode: str
    prompts: int
    mean: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Lift:
    """Prompts with something against those that were held out from it.

    Attributes:
        gain: of the mean reward, with minus without; its interval at 95 %.
    """

    given: str
    gain: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Given:
    """All that prompts were given besides their question.

    Attributes:
        sources: what was retrieved most, and how often.
    """

    arms: tuple[Arm, ...]
    lifts: tuple[Lift, ...]
    sources: tuple[tuple[str, int], ...]


def given(run: RecordedRun) -> Given | None:
    """None where no prompt was given anything."""
    arms: dict[tuple[str, str], dict[tuple[int, int, str], list[float]]] = {}
    sources: dict[str, int] = {}
    for line in run.log("completions"):
        key = (whole(line, "step"), whole(line, "prompt"), text(line, "question"))
        reward, its = figure(line, "reward"), list(_arms(line))
        for chunk in retrieved(line):
            sources[chunk.place] = sources.get(chunk.place, 0) + 1
        for arm in its if reward is not None else ():
            arms.setdefault(arm, {}).setdefault(key, []).append(reward or 0.0)
    if not sources and all(name == _NOTHING for name, _ in arms):
        return None
    low, high = score_range(run)
    means = {arm: [fmean(rewards) for rewards in prompts.values()] for arm, prompts in arms.items()}
    shown = [
        Arm(*arm, len(values), fmean(values), _interval(values, low, high)) for arm, values in means.items()
    ]
    order = sorted(sources.items(), key=lambda one: (-one[1], one[0]))
    return Given(
        tuple(sorted(shown, key=lambda arm: (arm.given, arm.mode))),
        tuple(_lifts(means, low, high)),
        tuple(order[:20]),
    )


def _arms(line: Line) -> Iterator[tuple[str, str]]:
    """What a prompt was given, and how; by a procedure and by the memory apart."""
    procedure, left_out = part(line, "procedure"), text(line, "memory_left_out")
    memory = "in the prompt" if retrieved(line) else HELD_OUT if left_out == "held out" else left_out
    if procedure:
        yield text(procedure, "name"), text(procedure, "mode")
    if memory:
        yield "memory", memory
    if not procedure and not memory:
        yield _NOTHING, ""


def _lifts(means: dict[tuple[str, str], list[float]], low: float, high: float) -> Iterator[Lift]:
    for name in dict.fromkeys(name for name, _ in means):
        without = means.get((name, HELD_OUT), [])
        arms = [arm for arm in means if arm[0] == name and arm[1] not in (HELD_OUT, "no room")]
        with_it = [value for arm in arms for value in means[arm]]
        if name != _NOTHING and len(without) > 1 and len(with_it) > 1:
            yield Lift(name, fmean(with_it) - fmean(without), lift_interval(with_it, without, low, high))


def _interval(values: Sequence[float], low: float, high: float) -> Interval | None:
    """Of their mean; None of a single one."""
    if len(values) < 2:
        return None
    if variance(values) > 0:
        its = student(values)
        return Interval(max(low, its.low), min(high, its.high))
    return score_interval(values[0], len(values), low, high)


def lift_interval(one: Sequence[float], other: Sequence[float], low: float, high: float) -> Interval:
    """Of the difference of two means at 95 %, the first minus the second, of scores within a range.

    Welch's; where one of them does not vary, that says little of its spread, and it is ``gain_interval``.
    """
    if variance(one) == 0 or variance(other) == 0:
        return gain_interval(fmean(one), len(one), fmean(other), len(other), low, high)
    its = welch(one, other)
    return Interval(max(low - high, its.low), min(high - low, its.high))


def welch(one: Sequence[float], other: Sequence[float]) -> Interval:
    """The interval at 95 % of the difference of two means, the first minus the second (Welch, 1947).

    Its degrees of freedom are Satterthwaite's (1946). Two values of each are needed, and both must vary.
    """
    a, b = variance(one) / len(one), variance(other) / len(other)
    gain = fmean(one) - fmean(other)
    freedom = (a + b) ** 2 / (a * a / (len(one) - 1) + b * b / (len(other) - 1))
    half = student_quantile(0.975, freedom) * sqrt(a + b)
    return Interval(gain - half, gain + half)
