"""``cesello runs``: what was trained here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from ...domain.run import RunStatus
from .output import echo_json, echo_table
from .search_page import search_rows
from .summary import say_figures

_FOLDER = click.option("--runs", "folder", default="runs", show_default=True, help="The folder of the runs.")
_JSON = click.option("as_json", "--json", is_flag=True, help="Print JSON.")


@click.group()
def runs() -> None:
    """List the runs and look at one."""


@runs.command("list")
@_FOLDER
@_JSON
def list_runs(folder: str, as_json: bool) -> None:
    """All runs, newest first."""
    from ..wiring import folder_run_store

    found = folder_run_store(folder).list()
    if as_json:
        echo_json(
            [
                {
                    key: getattr(run, key)
                    for key in ("id", "name", "status", "started", "model", "steps", "planned_steps", "path")
                }
                for run in found
            ]
        )
    elif not found:
        click.echo(f"No runs in {folder} yet: `cesello train recipes/quickstart.yaml` makes one.")
    else:
        rows = [
            (run.id, run.status, f"{run.steps}/{run.planned_steps}", run.model or "-", run.started)
            for run in found
        ]
        echo_table(["run", "status", "steps", "model", "started"], rows, right=(2,))


@runs.command("show")
@click.argument("run")
@_FOLDER
@_JSON
def show_run(run: str, folder: str, as_json: bool) -> None:
    """One run: an id, a name, a folder, or `latest`."""
    from ..wiring import folder_run_store

    found = folder_run_store(folder).find(run)
    if as_json:
        echo_json({**found.manifest, "status": found.status})
        return
    manifest = found.manifest
    unit = "rollouts" if manifest["algorithm"] == "apo" else "steps"
    echo_table(
        ["run", found.id],
        [
            ("status", found.status + (f" ({manifest['error']})" if manifest.get("error") else "")),
            ("model", found.model or "-"),
            ("algorithm", manifest["algorithm"]),
            (unit, f"{found.steps} of {found.planned_steps} in {manifest['seconds']:.0f} s"),
            ("started", found.started),
            ("finished", manifest["finished"] or "-"),
            ("seed", manifest["seed"]),
            ("data digest", (manifest.get("data") or {}).get("digest", "-")),
            ("folder", found.path),
            *_happened(manifest),
            *search_rows(manifest.get("search") or {}),
        ],
    )
    say_figures(manifest, Path(found.path))
    if found.status in (RunStatus.FAILED, RunStatus.INTERRUPTED):
        click.echo(f"\nGo on with it:  cesello train RECIPE --resume --run {found.id}")


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
