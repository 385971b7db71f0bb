"""``cesello verify``: whether a run, or an export, still is what it says."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("target", metavar="TARGET")
@click.option("--run", "run_name", help="The run that the export was made of: an id, a name or a folder.")
@click.option("--runs", default="runs", show_default=True, help="The folder of the runs.")
@click.option("--quick", is_flag=True, help="Leave out what needs a run's tokenizer or its rows.")
@click.option("as_json", "--json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def verify(debug: bool, target: str, run_name: str | None, runs: str, quick: bool, as_json: bool) -> None:
    """Check TARGET: a run (an id, a name, a folder, `latest`), or the folder of an export.

    Of a run: every file of its weights and checkpoints, its recipe, logs and figures, its rows prepared anew,
    and the memory and procedures that it pinned. Ends with 4 when files or the recipe were changed, 3 when it
    is the data, 5 when memory or procedures are others by now.

    Of an export: every file's sha256, and the figures measured again. Ends with 4 when a file was changed, or
    a figure differs by more than another machine can make it. Where its run or the data is gone, files are
    checked alone, and that is said.
    """
    from ...domain.errors import DataError
    from ..wiring import folder_run_store

    folder = Path(target)
    run = None
    if not run_name and not (folder / "export.json").exists():
        try:
            run = folder_run_store(runs).find(target)
        except DataError:
            if not folder.is_dir():
                raise
    if run is None:
        from .verify_export import verify_export

        verify_export(folder, run_name, runs, debug=debug, as_json=as_json)
        return
    from .verify_run import verify_run

    verify_run(run, debug=debug, as_json=as_json, quick=quick)
