"""``cesello schema``: the JSON schema of recipes."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write it to FILE instead of the terminal.",
)
def schema(output: Path | None) -> None:
    """Print the JSON schema of recipes, for editors."""
    from ..settings.atomic_file import write_atomically
    from ..settings.schema import schema_text

    if output is None:
        click.echo(schema_text(), nl=False)
    else:
        write_atomically(output, schema_text())
        click.echo(f"wrote {output}")
