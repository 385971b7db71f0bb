"""``cesello runs show``: one run, with all of its figures."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import click

from ...application.read_run import ReadRun, RunView
from ...domain.run import RunStatus
from ...domain.run_figures import number
from .output import echo_json, one_line
from .runs_figures import alarm_lines, averaged_note, evaluation_lines, figure_lines, time_lines
from .runs_text import Coloured, echo_lines, status_cell, table, width_of
from .search_page import search_rows
from .summary import say_held_out


@click.command("show")
@click.argument("run")
@click.option("--runs", "folder", default="runs", show_default=True, help="The folder of the runs.")
@click.option("as_json", "--json", is_flag=True, help="Print JSON.")
def show_run(run: str, folder: str, as_json: bool) -> None:
    """One run: an id, a name, a folder, or `latest`."""
    from ..wiring import folder_live_runs, folder_run_store

    store = folder_run_store(folder)
    if as_json:
        found = store.find(run)
        echo_json({**found.manifest, "status": found.status})
    else:
        _say(ReadRun(store, folder_live_runs(), run)(), width_of())


def _say(view: RunView, width: int | None) -> None:
    summary, manifest = view.summary, _plain(view.summary.manifest)
    echo_lines(table(["run", summary.id], list(_facts(view, manifest))))  # nothing of it is cut
    say_held_out(manifest)
    _say_lines(figure_lines(view, width))
    if note := averaged_note(view.figures):
        click.echo(note)
    _say_lines(evaluation_lines(view, width))
    _say_lines(list(alarm_lines(view.figures)))
    _say_lines(time_lines(view, width))
    if summary.status in (RunStatus.FAILED, RunStatus.INTERRUPTED):
        again = f"cesello train RECIPE --resume --run {shlex.quote(one_line(summary.id))}"
        click.echo(f"\nGo on with it:  {again}")


def _say_lines(lines: Sequence[str]) -> None:
    if lines:
        click.echo()
        echo_lines(lines)


def _plain(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without what is no map where one should be: somebody else may have written it."""
    maps = ("data", "before", "after", "search")
    return {**manifest, **{key: {} for key in maps if not isinstance(manifest.get(key), Mapping)}}


def _facts(view: RunView, manifest: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    summary = view.summary
    unit = "rollouts" if view.is_search else "steps"
    seconds = number(manifest.get("seconds")) or view.figures.seconds
    yield "status", _status(view)
    yield "model", summary.model or "-"
    yield "algorithm", manifest.get("algorithm")
    yield unit, f"{view.steps} of {summary.planned_steps} in {seconds:.0f} s"
    yield "started", summary.started
    yield "finished", manifest.get("finished") or "-"
    yield "seed", manifest.get("seed")
    yield "data digest", manifest["data"].get("digest", "-")
    yield "folder", summary.path
    yield from chain(_happened(manifest), search_rows(manifest["search"]))


def _status(view: RunView) -> Coloured:
    error = view.summary.manifest.get("error")
    why = "stopped without saying so: it was killed" if view.was_killed else error
    its = status_cell(view.summary.status)
    return Coloured(its.text + (f" ({why})" if why else ""), its.colour)


def _happened(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is worth a line where it was so."""
    unit = "rollout" if manifest.get("algorithm") == "apo" else "step"
    for resume in manifest.get("resumes") or ():
        changed = ", ".join(resume["differences"])
        yield (
            "gone on with",
            f"after {unit} {resume['step']}, {resume['at']}"
            + (f"; not exactly: {changed}" if changed else ""),
        )
    if manifest.get("skipped"):
        yield "left out", f"{manifest['skipped']} steps whose loss was not finite"
    if manifest.get("splits"):
        yield "memory", f"forward passes in {2 ** manifest['splits']} parts"
    if manifest.get("best_step") is not None:
        best = "highest held-out score" if manifest.get("algorithm") == "grpo" else "lowest held-out loss"
        yield "weights", f"of step {manifest['best_step']}, the {best}"
    if manifest.get("ended_by"):
        yield "ended by", manifest["ended_by"]
