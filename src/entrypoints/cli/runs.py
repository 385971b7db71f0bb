"""``cesello runs``: what was trained here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from .output import echo_json, echo_table

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
    echo_table(
        ["run", found.id],
        [
            ("status", found.status + (f" ({manifest['error']})" if manifest.get("error") else "")),
            ("model", found.model or "-"),
            ("algorithm", manifest["algorithm"]),
            ("steps", f"{found.steps} of {found.planned_steps} in {manifest['seconds']:.0f} s"),
            ("started", found.started),
            ("finished", manifest["finished"] or "-"),
            ("seed", manifest["seed"]),
            ("data digest", (manifest.get("data") or {}).get("digest", "-")),
            ("folder", found.path),
        ],
    )
    rows = list(_figures(manifest))
    if rows:
        click.echo()
        echo_table(["held-out rows", "before", "after"], rows, right=(1, 2))


def _figures(manifest: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    before, after = manifest.get("before") or {}, manifest.get("after") or {}
    rows = []
    for name, loss in before.get("losses", {}).items():
        then = after.get("losses", {}).get(name)
        rows.append((f"{name}: loss", f"{loss['loss']:.3f}", f"{then['loss']:.3f}" if then else "-"))
    for name, graded in before.get("graded", {}).items():
        then = after.get("graded", {}).get(name)
        for part, value in graded["parts"].items():
            title = f"{name}: {part.replace('_', ' ')} (of {graded['rows']})"
            rows.append((title, f"{value:.0f}", f"{then['parts'].get(part, 0):.0f}" if then else "-"))
    return rows
