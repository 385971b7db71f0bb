"""``cesello runs tail``: a run while it trains, in this terminal or in a pipe."""

from __future__ import annotations

import shlex
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from typing import Any

import click

from ...application.follow_run import FollowRun
from ...application.read_run import RunView
from ...domain.run import RunStatus
from ...domain.run_figures import BEST, FINE_TUNED, REWARDED, number
from .output import one_line
from .runs_figures import alarm_lines, evaluation_lines, figure_lines
from .runs_screen import Screen
from .runs_text import cut, duration, echo_lines, figure, height_of, status_cell, table, width_of

_QUIET = 3
"""Steps' times without a line after which it is said that nothing is new."""

_ALARMS = 4


@click.command("tail")
@click.argument("run", default="latest")
@click.option("--runs", "folder", default="runs", show_default=True, help="The folder of the runs.")
@click.option("--once", is_flag=True, help="Show it as it is now, and end.")
@click.option(
    "--every",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.05, 3600),
    help="Seconds between looks.",
)
@click.option(
    "-n", "--lines", "count", default=10, show_default=True, type=click.IntRange(0, 200),
    help="In a pipe: so many lines of before.",
)  # fmt: skip
@click.pass_context
def tail_run(context: click.Context, run: str, folder: str, once: bool, every: float, count: int) -> None:
    """Watch a run train until it ends: an id, a name, a folder, or `latest`.

    Another process may train it: it is read from its folder. On a terminal its curves are drawn again in
    their place; in a pipe every step, evaluation and alarm is a line.
    """
    from ..wiring import folder_live_runs, folder_run_store

    follow = FollowRun(folder_run_store(folder), folder_live_runs(), lambda: time.sleep(every))
    views = follow(run, once=once)
    try:
        if once:
            for view in views:
                echo_lines(picture(view, width_of()))
        elif sys.stdout.isatty():
            _draw(views)
        else:
            _print(views, count)
    except KeyboardInterrupt:
        context.exit(130)


def _draw(views: Iterator[RunView]) -> None:
    screen = Screen()
    for view in views:
        # Nothing is drawn over the last picture, so it may be higher than the terminal.
        ended = view.summary.status is not RunStatus.RUNNING
        screen.draw(picture(view, width_of(), None if ended else height_of()), last=ended)


def _print(views: Iterator[RunView], count: int) -> None:
    first, rollouts = True, -1
    for view in views:
        if view.anew:
            click.echo("the run was gone on with from an earlier step: its logs were cut back")
        news = view.news[len(view.news) - min(count, len(view.news)) :] if first or view.anew else view.news
        if first:
            click.echo(_heading(view))
        first = False
        for log, line in news:
            click.echo(news_line(log, line))
        if view.is_search and view.steps != rollouts:
            rollouts = view.steps
            click.echo(_searched(view))
        if view.summary.status is not RunStatus.RUNNING:
            echo_lines(_end(view))


def picture(view: RunView, width: int | None, height: int | None = None) -> list[str]:
    """A run at one moment, as lines that fit the terminal.

    What is too much for its height is left out where it is missed least: first the table of evaluations,
    whose figures are among the curves, then the last of the curves.
    """
    model = (view.summary.model or "-").rpartition("/")[2]
    facts = (view.summary.id, status_cell(view.summary.status), view.summary.manifest.get("algorithm"), model)
    head = [
        *table(["run", "status", "algorithm", "model"], [facts], width=width, spare=(3,)),
        _progress(view),
    ]
    alarms = [line for alarm in list(alarm_lines(view.figures))[-_ALARMS:] for line in _wrapped(alarm, width)]
    end = _end(view) if view.summary.status is not RunStatus.RUNNING else []
    figures, evaluations = figure_lines(view, width), evaluation_lines(view, width)
    if height is not None:
        room = height - len(_together(head, alarms, end))
        if len(_together([], figures, evaluations)) > room:
            figures, evaluations = figures[: max(room - 1, 2)], []
    lines = _together(head, figures, evaluations, alarms, end)
    return [line if width is None or "\x1b" in line else cut(line, width) for line in lines]


def _together(lines: list[str], *parts: list[str]) -> list[str]:
    """An empty line before each part that there is."""
    return [*lines, *(line for part in parts if part for line in ("", *part))]


def _wrapped(text: str, width: int | None) -> list[str]:
    return [text] if width is None else textwrap.wrap(text, max(width, 20), subsequent_indent="  ")


def news_line(log: str, line: Mapping[str, Any]) -> str:
    """A line of a log as a person reads it."""
    step = int(number(line.get("step")) or 0)
    if log == "alarms":
        return f"step {step}: {one_line(line.get('text', ''))}"
    if log == "evaluations":
        return _evaluated(step, line)
    told = [
        f"{kind.title} {figure(number(line[kind.key]), kind.form)}"
        for kind in (REWARDED if "reward" in line else FINE_TUNED)
        if kind.log == "metrics" and line.get(kind.key) is not None
    ]
    return f"step {step}  " + "  ".join(told)


def _evaluated(step: int, line: Mapping[str, Any]) -> str:
    told = []
    for kind, key, title in (("graded", "score", "score"), ("losses", "loss", "loss")):
        sets = line.get(kind)
        for name, one in sets.items() if isinstance(sets, Mapping) else ():
            value = number(one.get(key)) if isinstance(one, Mapping) else None
            if value is not None:
                told.append(f"{one_line(name)} {title} {value:.3f}")
    when = {"before": "before the training", "after": "after the training"}.get(
        str(line.get("when")), "on the way"
    )
    return f"step {step}: held-out rows {when}: {', '.join(told) or 'nothing measured'}"


def _searched(view: RunView) -> str:
    best = view.figures.curve(BEST)
    return f"rollout {view.steps}  best score {figure(best.last if best else None, BEST.form)}"


def _heading(view: RunView) -> str:
    return f"{one_line(view.summary.id)}: {view.summary.status}, {_progress(view)}"


def _progress(view: RunView) -> str:
    """Phase, step, and what is left of the time."""
    unit = "rollout" if view.is_search else "step"
    done = f"{unit} {view.steps} of {one_line(view.summary.planned_steps)}"
    if view.summary.status is not RunStatus.RUNNING:
        return f"{done}, {duration(_seconds(view))}"
    left = "" if view.seconds_left is None else f", about {duration(view.seconds_left)} left"
    pace = view.figures.seconds_a_step
    quiet = view.quiet is not None and pace is not None and view.quiet > max(_QUIET * pace, 10)
    still = f"; nothing new for {duration(view.quiet or 0)}" if quiet else ""
    return f"{view.phase}: {done}{left}{still}"


def _seconds(view: RunView) -> float:
    return view.figures.seconds or number(view.summary.manifest.get("seconds")) or 0.0


def _end(view: RunView) -> list[str]:
    """How it ended, and what can be done."""
    id_ = shlex.quote(one_line(view.summary.id))
    again = f"Go on with it:  cesello train RECIPE --resume --run {id_}"
    if view.was_killed:
        return ["stopped without saying so: it was killed, or its machine went down", again]
    error = view.summary.manifest.get("error")
    said = f"{view.summary.status}{f': {one_line(error)}' if error else ''}"
    ended = view.summary.status is RunStatus.COMPLETED
    return [said, f"Look at it:  cesello runs show {id_}" if ended else again]
