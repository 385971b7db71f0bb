"""The commands of ``cesello sop`` that are about the versions of procedures."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ...application.promote_procedure import Promoted
from ...domain.procedure import Status
from .memory_options import config_option
from .output import echo_json, printable
from .sop_files import json_option, sop_container, version_row

_SHOWN = 8


@click.command("diff")
@click.argument("name")
@click.option("--old", default="", metavar="SHA", help="Else the version in use or, of that one, its parent.")
@click.option("--new", default="", metavar="SHA", help="Else what stands in the folder.")
@config_option
@json_option
def diff_command(name: str, old: str, new: str, config: Path | None, as_json: bool) -> None:
    """What differs between two versions, file by file."""
    found = sop_container(config).compare_versions()(name, old, new)
    if as_json:
        files = [asdict(one) for one in found.files]
        echo_json({"old": version_row(found.old), "new": version_row(found.new), "files": files})
        return
    click.echo(
        f"{found.old.sha[:_SHOWN]} ({found.old.status}) -> {found.new.sha[:_SHOWN]} ({found.new.status})"
    )
    if not found.files:
        click.echo("nothing differs")
    for one in found.files:
        click.echo(printable(one.diff) if one.diff else f"{one.change}: {printable(one.path)}")


@click.command("promote")
@click.argument("name")
@click.argument("sha", required=False, default="")
@click.option("--reason", default="", help="Why, for those who read it later.")
@click.option("--trial", is_flag=True, help="Let half of the requests meet it, until outcomes decide.")
@config_option
@json_option
def promote_command(
    name: str, sha: str, reason: str, trial: bool, config: Path | None, as_json: bool
) -> None:
    """Put a version into use: SHA, or what stands in the folder. The folder then holds it.

    With --trial, which is for versions that you have written or a search has found, the one in use stays in
    use beside it.
    """
    if trial:
        tried = sop_container(config).promote_procedure().trial(name, sha, reason)
        if as_json:
            echo_json(version_row(tried))
        else:
            click.echo(f"{name} {tried.sha[:_SHOWN]} is tried on half of the requests")
        return
    _say(sop_container(config).promote_procedure()(name, sha, reason), as_json)


@click.command("draft")
@click.argument("name")
@click.option("--run", required=True, help="A search: an id, a name, a folder, or `latest`.")
@click.option("--runs", "folder", default="runs", show_default=True, help="The folder of the runs.")
@config_option
@json_option
def draft_command(name: str, run: str, folder: str, config: Path | None, as_json: bool) -> None:
    """Record the better text that a prompt search has found for NAME, as a draft."""
    from ..wiring import folder_run_store

    found = folder_run_store(folder).find(run)
    made = sop_container(config).draft_procedure()(name, found)
    if as_json:
        echo_json(version_row(made))
        return
    sha, known = made.sha[:_SHOWN], made.status is not Status.DRAFT or made.author == "import"
    what = f"known already: {made.status}" if known else f"a {made.status}"
    reason = f": {made.reason}" if made.reason else ""
    click.echo(printable(f"{name} {sha} is {what}, written by {made.author}{reason}"))
    if not known:
        promote = f"cesello sop promote {name} {sha} --trial"
        click.echo(f"next: cesello sop diff {name} --new {sha}, then {promote}")


@click.command("rollback")
@click.argument("name")
@config_option
@json_option
def rollback_command(name: str, config: Path | None, as_json: bool) -> None:
    """Go back to the version that was in use before this one. The folder then holds it."""
    _say(sop_container(config).roll_back_procedure()(name), as_json)


def _say(done: Promoted, as_json: bool) -> None:
    if as_json:
        echo_json({**version_row(done.version), "before": done.before or None})
        return
    before = f", instead of {done.before[:_SHOWN]}" if done.before else ""
    click.echo(f"{done.version.name} {done.version.sha[:_SHOWN]} is in use{before}")
