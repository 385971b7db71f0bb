"""What ``cesello verify`` says of an export."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ...application.verify_export import TrainedModel, Verification
from ...domain.errors import CeselloError, ModelError
from .output import echo_json, echo_table


def verify_export(folder: Path, run_name: str | None, runs: str, *, debug: bool, as_json: bool) -> None:
    """Checks it, says what was found, and ends the command where it is not what it says.

    Args:
        run_name: the run that it was made of; None: the one that it names.
    """
    from ..container import Container, make_container
    from ..export_requests import run_recipe, trained_model
    from ..requests import recipe_container
    from ..wiring import folder_exports, folder_run_store
    from .watch import watched

    name = run_name or folder_exports().read(folder).run.id
    trained: TrainedModel | CeselloError
    container: Container
    try:
        run = folder_run_store(runs).find(name)
        loaded = run_recipe(run)
        trained, container = trained_model(loaded, run), recipe_container(loaded)
    except CeselloError as gone:
        if run_name:
            raise
        trained, container = gone, make_container()
    with watched(container, debug):
        found = container.verify_export()(folder, trained)
    if as_json:
        echo_json({"good": found.is_good, **asdict(found)})
    else:
        _say(found, folder)
    _fail(found, folder)


def _say(found: Verification, folder: Path) -> None:
    manifest = found.manifest
    click.echo(f"export of run {manifest.run.id}, {manifest.dtype}, into {manifest.into}: {folder}")
    good = len(manifest.files) - sum(damage.file in manifest.files for damage in found.damages)
    click.echo(f"files     {good} of {len(manifest.files)} are as they were written")
    for damage in found.damages:
        click.echo(f"          {damage.file}: {damage.what}")
    if found.unmeasured:
        click.echo(f"figures   not measured: {found.unmeasured}")
    if found.figures:
        click.echo()
        echo_table(
            ["merged against trained", "recorded", "now", ""],
            [
                (figure.name, figure.recorded, figure.again, "" if figure.agrees else "differs")
                for figure in found.figures
            ],
            right=(1, 2),
        )


def _fail(found: Verification, folder: Path) -> None:
    """Ends the command with the status of an export that is not what it says."""
    if found.damages:
        files = ", ".join(f"{damage.file} ({damage.what})" for damage in found.damages[:3])
        raise ModelError(
            "M036", "files of the export are not as they were written", where=str(folder), got=files,
            fix="export the run again",
        )  # fmt: skip
    wrong = next((figure for figure in found.figures if not figure.agrees), None)
    if wrong is not None:
        raise ModelError(
            "M037", "the exported model is not as alike to the trained one as it says", where=str(folder),
            got=f"{wrong.name}: {wrong.again}", expected=wrong.recorded,
            fix="see whether the base model or the libraries were changed, or export the run again",
        )  # fmt: skip
