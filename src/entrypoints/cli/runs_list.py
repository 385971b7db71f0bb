"""``cesello runs list``: all runs, each with the curve that matters."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ...application.list_runs import Glimpse, ListRuns
from ...domain.run import RunStatus, RunSummary
from .output import echo_json
from .runs_text import Coloured, echo_lines, figure, spark, status_cell, table, width_of

_CURVE = 12
_KEYS = ("id", "name", "status", "started", "model", "steps", "planned_steps", "path")


@click.command("list")
@click.option("--runs", "folder", default="runs", show_default=True, help="The folder of the runs.")
@click.option(
    "statuses",
    "--status",
    multiple=True,
    type=click.Choice([str(status) for status in RunStatus]),
    help="Those that are so; may be given again.",
)
@click.option("--name", help="Those of this name, or like quickstart*.")
@click.option("--limit", type=click.IntRange(min=1), help="So many of the newest at most.")
@click.option("as_json", "--json", is_flag=True, help="Print JSON.")
def list_runs(
    folder: str, statuses: tuple[str, ...], name: str | None, limit: int | None, as_json: bool
) -> None:
    """All runs, newest first, each with its loss, reward, or best prompt's score as it goes."""
    from ..wiring import folder_live_runs, folder_run_store

    listing = ListRuns(folder_run_store(folder), folder_live_runs())
    found = listing(status=statuses, name=name, limit=limit)
    if as_json:
        echo_json([{key: getattr(run, key) for key in _KEYS} for run in found])
    elif found:
        echo_lines(_lines([(run, listing.glimpse(run)) for run in found], width_of()))
    elif statuses or name is not None:
        click.echo("No run is like that.")
    else:
        click.echo(f"No runs in {folder} yet: `cesello train recipes/quickstart.yaml` makes one.")


def _lines(found: Sequence[tuple[RunSummary, Glimpse | None]], width: int | None) -> list[str]:
    headings = ["run", "status", "steps", "curve", "last", "of", "model", "started"]
    rows = [_row(run, glimpse, is_narrow=width is not None) for run, glimpse in found]
    return table(headings, rows, right=(2, 4), width=width, spare=(7, 6, 5))


def _row(run: RunSummary, glimpse: Glimpse | None, *, is_narrow: bool) -> tuple[object, ...]:
    """On a terminal what is long is told in short."""
    model = run.model or "-"
    started = run.started
    if is_narrow:
        model, started = model.rpartition("/")[2], started[:16].replace("T", " ")
    steps = max(run.steps, glimpse.step) if glimpse and run.status is RunStatus.RUNNING else run.steps
    curve = (Coloured(spark(glimpse.curve, _CURVE), "cyan"),) if glimpse else ("-",)
    last = figure(glimpse.curve.last, glimpse.kind.form) if glimpse else "-"
    kind = glimpse.kind.title if glimpse else "-"
    done = f"{steps}/{run.planned_steps}"
    return (run.id, status_cell(run.status), done, *curve, last, kind, model, started)
