"""Steps at which a figure that is above 0 jumps out of its course, told apart from those of a noisy one."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from statistics import median

from .recorded_run import RecordedRun, part, text

_NEIGHBOURS = 10
"""On either side of a step."""

_BEFORE = 5
"""Neighbours before it that a step has at least: at its start a training is where it has never been."""

_DEVIATIONS = 8.0
"""Scaled median absolute deviations of the logarithm. Of sound runs of 200 steps fewer than one in twenty has
such a step, whether their figures are log-normal or of three sources that differ by far
(``tests/unit/domain/test_false_alarms.py``)."""

_TO_DEVIATION = 1.4826
"""Of a normal law, the standard deviation over the median absolute deviation."""


def jumps(figures: Sequence[tuple[int, float]], least: float, after: int = 0) -> list[int]:
    """Steps that stand out above the steps before them and above those around.

    Batches of unlike length or source make figures that are spread by factors, not by summands: so it is
    logarithms that are compared, and with the spread of the whole run, which ten neighbours tell badly.

    Args:
        figures: (step, figure), all above 0.
        least: times the figures around that a jump is, at least.
        after: the step up to which none is looked for.
    """
    logs = [log(value) for _, value in figures]
    usual = _TO_DEVIATION * median(abs(_off(logs, at)) for at in range(len(logs))) if len(logs) > 1 else 0.0
    limit = max(log(least), _DEVIATIONS * usual)
    return [
        step
        for at, (step, _) in enumerate(figures)
        if at >= _BEFORE
        and step > after
        and _off(logs, at) > limit
        and logs[at] - median(logs[max(0, at - _NEIGHBOURS) : at]) > limit
    ]


def _off(logs: Sequence[float], at: int) -> float:
    """From the median of the steps on both sides."""
    around = (*logs[max(0, at - _NEIGHBOURS) : at], *logs[at + 1 : at + 1 + _NEIGHBOURS])
    return logs[at] - median(around)


def warmup(run: RecordedRun) -> int:
    """Steps over which the learning rate rises, by the recipe."""
    said = text(part(run.manifest, "identity"), "recipe training.warmup_steps")
    return int(said) if said.isdecimal() and len(said) < 10 else 0
