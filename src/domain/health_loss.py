"""Checks of what the loss, its held-out part and its gradients do."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, median

from .health_figures import (
    AT_AN_END,
    CLEAR,
    FINE,
    NOTHING_TO_LOOK_AT,
    STEPS,
    Level,
    Said,
    Verdict,
    ends,
    error,
    steps,
)
from .health_jumps import jumps, warmup
from .recorded_run import Line, RecordedRun, course, figure, part, whole

_WORSE_HELD_OUT = 0.02
"""Nats a token above the best: less is the noise of a small held-out part."""

_LITTLE = 0.1
"""Of the mean loss: a training that lowers its loss by less has hardly begun, or has nothing to learn."""

_EXPLODED = 10.0
"""Times the usual norm: clipping holds the step's length, but where it points to is one batch's doing."""

_JUMPED = 1.5
"""Times the loss of the steps around: where batches hardly differ, less is no spike either."""

_GROWN = 4.0
"""Times the median norm of the first steps, at the end: training that settles has a norm that falls."""


def every_step(run: RecordedRun) -> Verdict:
    """Steps that were left out."""
    skipped = whole(run.manifest, "skipped")
    if not skipped:
        return bool(run.log("metrics"))
    return Said(f"{skipped} steps were left out, since loss or gradient was not finite.")


def loss_falls(run: RecordedRun) -> Verdict:
    """Whether it did not: where that is clear, and the held-out loss did not fall either.

    Batches differ far more than a short training moves the loss, above all where sources do. So a line is
    laid through all steps, and something is said where its interval at 95 % has no fall worth the name in
    it, or where it rises for certain.
    """
    losses = _losses(run)
    held_out = [loss for _, loss in _held_out_course(run)]
    if len(held_out) > 1 and held_out[-1] < held_out[0]:
        return FINE
    if len(losses) < STEPS:
        return NOTHING_TO_LOOK_AT
    values = [loss for _, loss in losses]
    change, error_of_it = _trend(values)
    low, high = change - CLEAR * error_of_it, change + CLEAR * error_of_it
    may_have_fallen = low <= -_LITTLE * abs(fmean(values)) or _fell_at_once(values)
    if low <= 0 and may_have_fallen:
        return FINE
    return Said(
        f"The loss did not fall: over {len(values)} steps with a mean of {fmean(values):.3g} its trend is "
        f"{change:+.3g} (95 %: {low:+.3g} to {high:+.3g})."
    )


def _trend(values: Sequence[float]) -> tuple[float, float]:
    """What a line of least squares rises by from the first to the last, and the standard error of that."""
    count, middle, mean = len(values), (len(values) - 1) / 2, fmean(values)
    squares = count * (count * count - 1) / 12
    slope = sum((at - middle) * (value - mean) for at, value in enumerate(values)) / squares
    left = sum((value - mean - slope * (at - middle)) ** 2 for at, value in enumerate(values))
    return slope * (count - 1), sqrt(left / (count - 2) / squares) * (count - 1)


def _fell_at_once(values: Sequence[float]) -> bool:
    """Whether the first steps are above the rest: of a fast fall and a long level no line tells."""
    first, rest = values[:AT_AN_END], values[AT_AN_END:]
    return fmean(first) - fmean(rest) > CLEAR * error(first, rest)


def no_spikes(run: RecordedRun) -> Verdict:
    """Steps whose loss is far above that of the steps around."""
    losses = [(step, max(loss, _TINY)) for step, loss in _losses(run)]
    if len(losses) < 4 * AT_AN_END:
        return NOTHING_TO_LOOK_AT
    high = jumps(losses, _JUMPED, warmup(run))
    return Said(f"The loss jumps at {steps(high)}, far above the steps around.") if high else FINE


_TINY = 0.01
"""Nats a token: a loss below is as good as none, and how many times it grows says nothing."""


def held_out_falls(run: RecordedRun) -> Verdict:
    """Whether the held-out loss turned, where it is what the training is for."""
    if run.algorithm in ("grpo", "apo"):
        return NOTHING_TO_LOOK_AT
    losses = _held_out_course(run)
    if len(losses) < 2:
        return NOTHING_TO_LOOK_AT
    best_step, best = min(losses, key=lambda one: one[1])
    last_step, last = losses[-1]
    if last - best <= _WORSE_HELD_OUT:
        return FINE
    never = best_step == losses[0][0]
    why = "the training only made it worse" if never else "what came after was learnt by heart"
    return Said(
        f"The held-out loss was lowest at step {best_step} ({best:.3g}) and is {last:.3g} at step "
        f"{last_step}: {why}.",
        Level.WRONG if never else Level.LOOK,
    )


def _held_out_course(run: RecordedRun) -> list[tuple[int, float]]:
    means = [(whole(line, "step"), _held_out(line)) for line in run.log("evaluations")]
    return [(step, loss) for step, loss in means if loss is not None]


def _held_out(line: Line) -> float | None:
    """The mean over the sources, each of the same weight."""
    sources = part(line, "losses")
    losses = [loss for name in sources if (loss := figure(part(sources, name), "loss")) is not None]
    return fmean(losses) if losses else None


def gradients(run: RecordedRun) -> Verdict:
    """Norms that are far out, or grow."""
    norms = course(run.log("metrics"), "gradient_norm")
    if len(norms) < STEPS:
        return NOTHING_TO_LOOK_AT
    high = jumps([(step, norm) for step, norm in norms if norm > 0], _EXPLODED, warmup(run))
    if high:
        return Said(f"The gradient norm is above {_EXPLODED:g} times the usual at {steps(high)}.")
    then, now = (median(part) for part in ends([norm for _, norm in norms]))
    return Said(f"The gradient norm grew from {then:.3g} to {now:.3g}.") if now > _GROWN * then > 0 else FINE


def _losses(run: RecordedRun) -> list[tuple[int, float]]:
    """Of the steps; none where the loss says nothing of progress."""
    return [] if run.algorithm in ("grpo", "apo") else course(run.log("metrics"), "loss")
