"""What a run brought, in a sentence or two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from .health_figures import CLEAR, STEPS, ends, error, values
from .recorded_run import Line, RecordedRun, figure, part, parts, text, whole
from .report_gains import Gain, gains
from .statistics import Interval

_SEARCHED = {
    "proven": "A better prompt was proven on tasks that the search has never seen.",
    "promising": "A prompt was found that is likely better on tasks that the search has never seen.",
    "keep yours": "Nothing better was proven: keep your prompt.",
}


def verdict(run: RecordedRun) -> tuple[str, ...]:
    """At most a few sentences; how it stands first, where it is not whole."""
    if run.algorithm == "apo":
        return (*_standing(run), *_searched(run))
    # A reinforcement is not for the loss: what it learns to say need not be what the rows say.
    found = [one for one in gains(run) if one.kind == "score" or run.algorithm != "grpo"]
    return (*_standing(run), *_rewarded(run), *_gained(found))


def _standing(run: RecordedRun) -> Iterator[str]:
    done = max([whole(run.manifest, "steps"), *(whole(line, "step") for line in run.log("metrics")[-1:])])
    unit = "rollout" if run.algorithm == "apo" else "step"
    where = f"{unit} {done:,} of {whole(run.manifest, 'planned_steps'):,}"
    if run.status == "running":
        yield f"It is running: {where}."
    elif run.status == "interrupted":
        yield f"It was stopped at {where} and can be gone on with."
    elif run.status == "failed":
        why = text(run.manifest, "error")
        yield f"It failed at {where}{f': {why}' if why else ''}."


def _rewarded(run: RecordedRun) -> Iterator[str]:
    """Of the answers drawn, the first steps against the last."""
    rewards = values(run, "metrics", "reward")
    if len(rewards) < STEPS:
        return
    first, last = ends(rewards)
    rise = fmean(last) - fmean(first)
    chance = abs(rise) <= CLEAR * error(first, last)
    clear = "which may be chance" if chance else "clearly more" if rise > 0 else "clearly less"
    yield (
        f"The mean reward of a drawn answer went from {fmean(first):.3f} in the first {len(first)} steps to "
        f"{fmean(last):.3f} in the last: {clear}."
    )


def _searched(run: RecordedRun) -> Iterator[str]:
    if run.search.get("unfinished") is True:
        yield from _so_far(run)
        return
    search = part(run.manifest, "search")
    if text(search, "verdict") in _SEARCHED:
        yield _SEARCHED[text(search, "verdict")]
    before, after, gain = figure(search, "before"), figure(search, "after"), figure(search, "gain")
    if before is None:
        return
    tasks = whole(search, "test_tasks")
    if after is None or gain is None:
        yield f"The first prompt scores {before:.3f} on {tasks} held-out tasks."
        return
    bounds = search.get("interval")
    low, high = bounds if isinstance(bounds, list | tuple) and len(bounds) == 2 else (None, None)
    ends = {"low": low, "high": high}
    between = Interval(figure(ends, "low") or 0.0, figure(ends, "high") or 0.0) if low is not None else None
    said = f" (95 %: {_range(between)})" if between else ""
    p = figure(search, "p")
    yield (
        f"On {tasks} held-out tasks the score went from {before:.3f} to {after:.3f}, {gain:+.3f}{said}"
        f"{'' if p is None else f', one-sided p {p:.3g}'}."
    )


def _so_far(run: RecordedRun) -> Iterator[str]:
    """Of a search that has not come to its end."""
    candidates = parts(run.search, "candidates")
    tried = [one for one in candidates if figure(one, "mean") is not None]
    count = (
        f"{len(candidates)} prompt{'' if len(candidates) == 1 else 's'} so far, {len(tried)} of them tried"
    )
    if not tried:
        yield f"{count}."
        return
    best = max(tried, key=lambda one: figure(one, "mean") or 0.0)
    first = next((one for one in tried if text(one, "proposer") == "seed"), tried[0])
    yield (
        f"{count}: the best mean is {_mean_of(best)}, that of the first prompt {_mean_of(first)}. "
        "Nothing is tested yet."
    )


def _mean_of(candidate: Line) -> str:
    trials = whole(candidate, "trials")
    return f"{figure(candidate, 'mean') or 0.0:.3f} on {trials} task{'' if trials == 1 else 's'}"


def _gained(found: Sequence[Gain]) -> Iterator[str]:
    for one in found:
        if one.kind == "score":
            yield _score(one)
    losses = [one for one in found if one.kind == "loss" and one.after is not None]
    if losses:
        fell = sum((one.difference or 0.0) < 0 for one in losses)
        each = ", ".join(f"{one.source} {one.before:.3f} → {one.after:.3f}" for one in losses)
        several = f"The held-out loss fell in {fell} of {len(losses)} sources"
        yield f"{several if len(losses) > 1 else 'The held-out loss'}: {each}."


def _score(one: Gain) -> str:
    rows = f"{one.rows} held-out rows of {one.source}"
    if one.after is None or one.interval is None:
        return f"Before the training the score on {rows} is {one.before:.3f}."
    clear = {True: "clearly better", False: "clearly worse", None: "which may be chance"}[one.is_better]
    within = f"95 %, paired: {_range(one.interval)}" if one.paired else f"95 %: within {_range(one.interval)}"
    within = within if one.p is None else f"{within}, p {one.p:.2g}"
    return (
        f"On {rows} the score went from {one.before:.3f} to {one.after:.3f}, "
        f"{one.difference or 0.0:+.3f} ({within}): {clear}."
    )


def _range(interval: Interval) -> str:
    return f"{interval.low:+.3f} to {interval.high:+.3f}"
