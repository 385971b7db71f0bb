"""``cesello forget``: take files out of the memory."""

from __future__ import annotations

from pathlib import Path

import click

from .memory_options import config_option, set_option
from .output import echo_json, printable


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("everything", "--all", is_flag=True, help="Forget all files.")
@config_option
@set_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def forget(
    debug: bool,
    paths: tuple[str, ...],
    everything: bool,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Take files, folders or patterns out of the memory. The files themselves stay as they are."""
    if bool(paths) == everything:
        raise click.UsageError("name what to forget, or give --all")
    from ..memory_requests import memory_container
    from ..settings.memory_file import load_memory
    from .watch import watched

    loaded = load_memory(config, overrides)
    container = memory_container(loaded)
    named = [container.source_tree().relative(str(Path(path).absolute())) for path in paths]
    with watched(container, debug, transformers=loaded.uses_transformers):
        gone = container.forget()(named, everything=everything)
    if as_json:
        echo_json({"forgotten": gone.files, "under": list(gone.under), "elsewhere": list(gone.elsewhere)})
        return
    click.echo(f"{gone.files} file{'' if gone.files == 1 else 's'} forgotten")
    if gone.under:
        roots = printable(", ".join(gone.under))
        still = "is" if len(gone.under) == 1 else "are"
        click.echo(f"{roots} {still} still remembered: name them in .cesello-ignore to keep them out")
    for store in gone.elsewhere:
        click.echo(_left_at(store, loaded.settings.store))


def _left_at(store: str, in_use: str) -> str:
    if store == in_use:
        return (
            f"an index of {store} at another memory.server or collection may have vectors of it: "
            "`cesello remember` with that one set takes them away"
        )
    return (
        f"the index of {store}, which is not in use, may have vectors of it: "
        f"`cesello remember --set memory.store={store}` takes them away"
    )
