"""The curves of a run, as few points as a picture needs: nothing that sticks out is lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from statistics import fmean, pstdev

from .recorded_run import Line, RecordedRun, course, figure, part, whole
from .report_gains import score_interval, score_range

Point = tuple[float, float]
"""A step and a figure."""

POINTS = 400
"""Of a series in a picture: about one for each of its dots."""

_SMOOTHED = 12
"""Points from which on a series is smoothed; of fewer every one is looked at."""

_WINDOW = 0.05
"""Of the run, on either side of a step: what is averaged."""

_EXTRA = 12
"""Charts at most of figures that are not known here."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line.

    Attributes:
        points: as they were measured.
        smooth: their mean over the steps around; empty where there are few.
        band: at each step, from where to where.
        measured: each point is one of a few that were measured apart, as held-out figures are.
    """

    name: str
    points: tuple[Point, ...]
    smooth: tuple[Point, ...] = ()
    band: tuple[tuple[float, float, float], ...] = ()
    measured: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """Series over the same steps.

    Attributes:
        form: how a figure is written: ``number``, ``percent`` or ``whole``.
        note: how it is read.
    """

    name: str
    title: str
    unit: str
    series: tuple[Series, ...]
    form: str = "number"
    note: str = ""


def charts(run: RecordedRun) -> tuple[Chart, ...]:
    """All that the run has figures for, what matters most first."""
    rewarded = run.algorithm == "grpo"
    made = [*_rewarded(run), *_losses(run)] if rewarded else [*_losses(run), *_scores(run)]
    made += _figures(run)
    return tuple(chart for chart in made if any(series.points for series in chart.series))


def thinned(points: Sequence[Point], most: int = POINTS) -> tuple[Point, ...]:
    """The points, or of many the lowest and the highest of each stretch, in their order, and both ends."""
    if len(points) <= most:
        return tuple(points)
    size = ceil((len(points) - 2) / max(1, most // 2 - 1))
    kept = [points[0]]
    for begin in range(1, len(points) - 1, size):
        stretch = range(begin, min(begin + size, len(points) - 1))
        ends = {min(stretch, key=lambda at: points[at][1]), max(stretch, key=lambda at: points[at][1])}
        kept += [points[at] for at in sorted(ends)]
    return (*kept, points[-1])


def smoothed(points: Sequence[Point]) -> tuple[list[Point], list[tuple[float, float, float]]]:
    """The mean over the steps around each, and the band of one standard deviation on either side of it."""
    if len(points) < _SMOOTHED:
        return [], []
    reach = max(2, round(len(points) * _WINDOW))
    values = [value for _, value in points]
    means, bands = [], []
    for at in _shown(len(points)):
        around = values[max(0, at - reach) : at + reach + 1]
        mean, deviation, step = fmean(around), pstdev(around), points[at][0]
        means.append((step, mean))
        bands.append((step, mean - deviation, mean + deviation))
    return means, bands


def _shown(count: int) -> list[int]:
    """Positions of so many as a picture shows, both ends among them."""
    if count <= POINTS:
        return list(range(count))
    return sorted({round(at * (count - 1) / (POINTS - 1)) for at in range(POINTS)})


def _line(name: str, points: Sequence[Point], *, noisy: bool = False) -> Series:
    smooth, band = smoothed(points) if noisy else ([], [])
    return Series(name, thinned(points), tuple(smooth), tuple(band))


def _of(run: RecordedRun, log: str, name: str, title: str, unit: str, **more: str) -> Chart:
    points = course(run.log(log), name)
    return Chart(name, title, unit, (_line(title.lower(), points, noisy=True),), **more)


def _losses(run: RecordedRun) -> Iterator[Chart]:
    held = tuple(
        Series(f"held out: {name}", points, measured=True)
        for name, points in _measured(run, "losses", "loss").items()
    )
    train = () if run.algorithm == "grpo" else (
        _line("training", course(run.log("metrics"), "loss"), noisy=True),
    )  # fmt: skip
    title = "Held-out loss" if run.algorithm == "grpo" else "Loss"
    yield Chart("loss", title, "nats a token", (*train, *held))
    if accuracy := course(run.log("metrics"), "token_accuracy"):
        line = _line("right at once", accuracy, noisy=True)
        yield Chart("token_accuracy", "Tokens predicted right", "of the trained", (line,), "percent")


def _measured(run: RecordedRun, kind: str, name: str) -> Mapping[str, tuple[Point, ...]]:
    """A held-out figure by source."""
    found: dict[str, list[Point]] = {}
    for line in run.log("evaluations"):
        for source in part(line, kind):
            value = figure(part(part(line, kind), source), name)
            if value is not None:
                found.setdefault(str(source), []).append((whole(line, "step"), value))
    return {source: tuple(points) for source, points in found.items()}


def _scores(run: RecordedRun) -> Iterator[Chart]:
    low, high = score_range(run)
    series = []
    for source, points in _measured(run, "graded", "score").items():
        sizes = dict(_measured(run, "graded", "rows")[source])
        bounds = [(step, score_interval(mean, int(sizes.get(step, 0)), low, high)) for step, mean in points]
        band = tuple((step, one.low, one.high) for step, one in bounds)
        series.append(Series(source, points, band=band, measured=True))
    note = "Band: at most this wide is the 95 % interval of the mean."
    yield Chart("score", "Held-out score", "mean reward", tuple(series), note=note)


def _rewarded(run: RecordedRun) -> Iterator[Chart]:
    lines = run.log("metrics")
    rewards = course(lines, "reward")
    spread: dict[float, float] = dict(course(lines, "reward_deviation"))
    smooth, noise = smoothed(rewards)
    means = dict(smooth or rewards)
    around = [(step, means[step], spread[step]) for step in means if step in spread]
    band = [(step, mean - off, mean + off) for step, mean, off in around][:: max(1, len(around) // POINTS)]
    mean = Series("mean of the step", thinned(rewards), tuple(smooth), tuple(band or noise))
    note = "Band: the standard deviation within the answers to a prompt, on either side of the mean."
    yield Chart("reward", "Reward", "of an answer", (mean,), note=note)
    parts = dict.fromkeys(name for line in lines for name in line if name.startswith("reward/"))
    if len(parts) > 1:
        series = tuple(_line(name.removeprefix("reward/"), course(lines, name)) for name in parts)
        yield Chart("parts", "Parts of the reward", "mean of the step", series)
    yield from _scores(run)
    kl = _line("kl", course(lines, "kl"), noisy=True)
    yield Chart("kl", "Divergence from the reference", "nats a token", (kl,))
    yield _of(run, "metrics", "entropy", "Entropy", "nats a token")
    yield _lengths(run)
    shares = tuple(
        _line(title, course(lines, name))
        for name, title in (("dead_groups", "groups all alike"), ("cut_off", "answers cut off"))
    )
    yield Chart("shares", "What teaches nothing", "of the step", shares, "percent")


def _lengths(run: RecordedRun) -> Chart:
    """Mean tokens of an answer, and from the shortest to the longest."""
    by_step: dict[int, list[int]] = {}
    for line in run.log("completions"):
        by_step.setdefault(whole(line, "step"), []).append(whole(line, "tokens"))
    points = course(run.log("metrics"), "completion_tokens")
    steps = [int(points[at][0]) for at in _shown(len(points))]
    band = tuple((step, min(by_step[step]), max(by_step[step])) for step in steps if step in by_step)
    mean = Series("mean", thinned(points), band=band)
    note = "Band: from the shortest answer of the step to the longest."
    return Chart("completion_tokens", "Length of an answer", "tokens", (mean,), "whole", note)


_KNOWN = {
    "step", "loss", "perplexity", "token_accuracy", "learning_rate", "gradient_norm", "tokens",
    "trained_tokens", "reward", "reward_deviation", "kl", "entropy", "completion_tokens", "dead_groups",
    "cut_off", "unscored", "unscored_groups", "resampled", "ratio_least", "ratio_most", "clipped_low",
    "clipped_high", "dual_clipped", "weights_cut",
}  # fmt: skip


def _figures(run: RecordedRun) -> Iterator[Chart]:
    """Of the optimizer and the machine, and what an algorithm of one's own tells."""
    yield _of(run, "metrics", "gradient_norm", "Gradient norm", "before clipping")
    rate = _line("learning rate", course(run.log("metrics"), "learning_rate"))
    yield Chart("learning_rate", "Learning rate", "", (rate,))
    yield _speed(run)
    others = dict.fromkeys(
        name for line in run.log("metrics") for name in line if not _is_known(line, str(name))
    )
    for name in list(others)[:_EXTRA]:
        yield _of(run, "metrics", name, name.replace("_", " "), "")


def _speed(run: RecordedRun) -> Chart:
    chart = _of(run, "timings", "tokens_per_second", "Speed", "tokens a second", form="whole")
    if run.algorithm != "grpo":
        return chart
    note = "Tokens learnt from, over all seconds of the step: fewer where groups are all alike."
    return replace(chart, unit="tokens learnt a second", note=note)


def _is_known(line: Line, name: str) -> bool:
    return name in _KNOWN or name.startswith("reward/") or figure(line, name) is None
