"""``cesello runs compare``: what differs between runs, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ...application.compare_runs import ComparedRun, CompareRuns, FigureOfSteps, RunsCompared
from ...application.read_run import RunView
from ...domain.run_comparison import UNMEASURED, HeldOutFigure
from ...domain.run_differences import Difference
from ...domain.run_figures import FigureKind
from ...domain.sparkline import same_scale
from .output import echo_json, one_line
from .runs_text import (
    Coloured,
    cut,
    duration,
    echo_lines,
    figure,
    room_for,
    spark,
    status_cell,
    table,
    width_of,
)

_CURVE = 32
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...")
@click.option("--runs", "folder", default="runs", show_default=True, help="The folder of the runs.")
@click.option("as_json", "--json", is_flag=True, help="Print JSON.")
def compare_runs(runs: tuple[str, ...], folder: str, as_json: bool) -> None:
    """What differs between runs: recipes, libraries and data, how they went, and what came of them.

    Gains are those over the first run, with their intervals at 95 %. Runs that were measured on other rows
    are not compared, and it says so: `cesello compare` asks the models of recipes the same tasks.
    """
    from ..wiring import folder_live_runs, folder_run_store

    if not 2 <= len(runs) <= len(_LETTERS):
        raise click.UsageError(f"name two runs or more, {len(_LETTERS)} at most")
    compared, views = CompareRuns(folder_run_store(folder), folder_live_runs())(runs)
    if as_json:
        echo_json(compared)
    else:
        _say(compared, views, width_of())


def _say(compared: RunsCompared, views: Sequence[RunView], width: int | None) -> None:
    echo_lines(_runs(compared, width))
    for title, found in (
        ("recipe", compared.recipe),
        ("library", compared.versions),
        ("data", compared.data),
    ):
        if found:
            click.echo()
            echo_lines(_differences(title, found, len(views), width))
        else:
            click.echo(f"\nNo difference: {_NOTHING[title]}.")
    for lines in (_curves(compared, views, width), _held_out(compared, width)):
        if lines:
            click.echo()
            echo_lines(lines)
    _say_reasons(compared)


_NOTHING = {
    "recipe": "the recipes mean the same",
    "library": "the libraries have the same versions",
    "data": "the data are the same",
}


def _runs(compared: RunsCompared, width: int | None) -> list[str]:
    rows = [
        (
            letter,
            run.id,
            status_cell(run.status),
            f"{run.steps}/{run.planned_steps}",
            duration(run.seconds),
            run.tokens or "-",
            figure(run.tokens_per_second, ".0f"),
            figure(_result(run), ".3f"),
        )
        for letter, run in zip(_LETTERS, compared.runs, strict=False)
    ]
    headings = ["", "run", "status", "steps", "time", "tokens", "a second", _result_of(compared)]
    return table(headings, rows, right=range(3, 8), width=width, spare=(7,))


def _result(run: ComparedRun) -> float | None:
    """What its last steps came to: the reward of an answer, or the loss."""
    return run.final_loss if run.final_reward is None else run.final_reward


def _result_of(compared: RunsCompared) -> str:
    rewarded = {run.final_reward is not None for run in compared.runs}
    return "loss or reward" if len(rewarded) > 1 else "final reward" if True in rewarded else "final loss"


def _differences(title: str, found: tuple[Difference, ...], count: int, width: int | None) -> list[str]:
    """A column a run; what is long is cut, but never so that two different values look the same."""
    room = None if width is None else max((width - 30) // count - 2, 10)
    rows = [(one.key, *_shown(one.values, room)) for one in found]
    return table([title, *_LETTERS[:count]], rows, width=width)


def _shown(values: tuple[str | None, ...], room: int | None) -> list[str]:
    texts = ["-" if value is None else one_line(value) for value in values]
    if room is None or all(len(text) <= room for text in texts):
        return texts
    same = next((at for at, signs in enumerate(zip(*texts, strict=False)) if len(set(signs)) > 1), 0)
    start = max(same - room // 3, 0)
    return [cut(("…" if start else "") + text[start:], room) for text in texts]


def _curves(compared: RunsCompared, views: Sequence[RunView], width: int | None) -> list[str]:
    """A block a figure: the curves of all runs on the same scale, below each other."""
    kinds = {(kind.log, kind.key): kind for view in views for kind in view.figures.kinds}
    headings = ("figure", "", "", "first", "last", "least", "most")
    blocks = list(zip(kinds.values(), compared.figures, strict=True))
    numbers = [_numbers(kind, its, at) for kind, its in blocks for at in range(len(views))]
    room = room_for(2, [headings, *numbers], width, _CURVE)
    drawn = [curve for kind, _ in blocks for curve in _drawn(kind, views, room)]
    rows = [(*row[:2], curve, *row[3:]) for row, curve in zip(numbers, drawn, strict=True)]
    return table(headings, rows, right=range(3, 7), width=width) if rows else []


def _numbers(kind: FigureKind, its: FigureOfSteps, at: int) -> tuple[object, ...]:
    numbers = (its.first[at], its.last[at], its.least[at], its.most[at])
    title = its.title if at == 0 else ""
    return (title, _LETTERS[at], "", *(figure(one, kind.form) for one in numbers))


def _drawn(kind: FigureKind, views: Sequence[RunView], room: int) -> list[object]:
    """The curves of a figure on one scale, each as wide as it is long beside the others.

    So the same step is below the same step.
    """
    curves = [view.figures.curve(kind) for view in views]
    scale = same_scale([[curve.least, curve.most] for curve in curves if curve])
    longest = max((curve.count for curve in curves if curve), default=1)
    wide = [max(round(min(room, longest) * curve.count / longest), 1) if curve else 0 for curve in curves]
    return [
        Coloured(spark(curve, columns, scale=scale), "cyan") if curve else "-"
        for curve, columns in zip(curves, wide, strict=True)
    ]


def _held_out(compared: RunsCompared, width: int | None) -> list[str]:
    rows: list[tuple[object, ...]] = []
    for one in compared.held_out:
        for at in range(len(compared.runs)):
            title = f"{one.source}: {one.name.replace('_', ' ')}" if at == 0 else ""
            ends = (figure(one.before[at], ".3f"), figure(one.after[at], ".3f"))
            rows.append(
                (title, _LETTERS[at], "-" if one.rows[at] is None else one.rows[at], *ends, _gain(one, at))
            )
    headings = ["held-out rows", "", "rows", "before", "after", "gain on A (95 %)"]
    return table(headings, rows, right=(2, 3, 4), width=width) if rows else []


def _gain(one: HeldOutFigure, at: int) -> str:
    gain = one.gains[at]
    if at == 0:
        return ""
    if one.reasons[at]:
        return "-" if one.reasons[at] == UNMEASURED else "not comparable"
    if gain is not None:
        paired = "paired" if gain.paired else "unpaired"
        return f"{gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}) {paired}"
    early, late = one.after[0], one.after[at]
    return "-" if early is None or late is None else f"{late - early:+.3f}"


def _say_reasons(compared: RunsCompared) -> None:
    """Why figures are not compared, each reason once."""
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for one in compared.held_out:
        for letter, reason in zip(_LETTERS, one.reasons, strict=False):
            if reason and reason != UNMEASURED:
                reasons.setdefault((letter, reason), {})[one.source] = None
    if reasons:
        click.echo()
    for (letter, reason), sources in reasons.items():
        names = ", ".join(map(one_line, sources))
        click.echo(one_line(f"{letter} and A cannot be compared on {names}: {reason}"))
    gains = [gain for one in compared.held_out for gain in one.gains if gain]
    if any(not gain.paired for gain in gains):
        click.echo(
            "Unpaired intervals are wider than they need be: a run is of an older cesello, which kept no "
            "scores of all graded rows, or not all of its answers could be judged."
        )
