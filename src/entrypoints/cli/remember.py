"""``cesello remember``: read a project into its memory."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .memory_options import config_option, set_option
from .output import echo_json, printable

if TYPE_CHECKING:
    from ...application.remember import Remembering


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@config_option
@set_option
@click.option("--check-content", is_flag=True, help="Read all files, also where size and time are as before.")
@click.option("--watch", is_flag=True, help="Go on with what changes, until Ctrl-C.")
@click.option("--skipped", is_flag=True, help="List what was left alone, and why.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def remember(
    debug: bool,
    paths: tuple[str, ...],
    config: Path | None,
    overrides: tuple[str, ...],
    check_content: bool,
    watch: bool,
    skipped: bool,
    as_json: bool,
) -> None:
    """Read files and folders into the memory of this project, to be asked with `cesello ask`.

    Only what has changed is read, and only texts that are new are embedded. Without PATH all that was
    remembered before is brought up to date. .gitignore, .ignore and .cesello-ignore are followed; hidden,
    binary, generated, very large and other people's files are left alone.
    """
    from ...application.remember import RememberRequest
    from ..memory_requests import memory_container
    from ..settings.memory_file import load_memory
    from .watch import watched

    loaded = load_memory(config, overrides)
    container = memory_container(loaded)
    request = RememberRequest(tuple(str(Path(path).absolute()) for path in paths), anew=check_content)
    with watched(container, debug, transformers=loaded.uses_transformers):
        done = container.remember()(request)
        _say(done, loaded.folder, skipped, as_json)
        if watch:
            click.echo("watching; Ctrl-C ends it", err=True)
            for more in container.keep_remembering()():
                _say(more, loaded.folder, False, as_json)


def _say(done: Remembering, folder: Path, skipped: bool, as_json: bool) -> None:
    from ...domain.remembered import SKIPPED

    if as_json:
        listed = {"skipped": [asdict(one) for one in done.skipped]} if skipped else {}
        echo_json({**asdict(done), "memory": str(folder), "skipped": done.reasons(), **listed})
        return
    if skipped:
        for one in done.skipped:
            click.echo(f"  {one.reason:<10}  {printable(one.path)}")
    click.echo(
        f"{_count(done.changed, 'file')} new or changed ({_count(done.chunks, 'chunk')}, of which "
        f"{done.embedded} embedded and {done.known} known), {done.unchanged} unchanged, "
        f"{done.forgotten} forgotten"
    )
    if done.overlong:
        are = "is" if done.overlong == 1 else "are"
        click.echo(
            f"{_count(done.overlong, 'text')} {are} longer than the embedder reads: what is beyond is found "
            "by its words alone (a smaller memory.chunk_characters cuts shorter)"
        )
    if done.skipped:
        reasons = "; ".join(f"{count} {SKIPPED[reason]}" for reason, count in done.reasons().items())
        click.echo(f"left alone: {reasons}" + ("" if skipped else " (--skipped lists them)"))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
