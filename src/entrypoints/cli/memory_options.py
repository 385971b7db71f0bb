"""What all commands of the memory have in common."""

from __future__ import annotations

from pathlib import Path

import click

config_option = click.option(
    "config",
    "--config",
    type=click.Path(path_type=Path),
    help="Settings; else cesello.yaml of this folder or one above it.",
)
set_option = click.option(
    "overrides", "--set", multiple=True, metavar="KEY=VALUE", help="Change a key, as memory.store=numpy."
)
