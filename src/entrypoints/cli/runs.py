"""``cesello runs``: what was trained here."""

from __future__ import annotations

import click

from .runs_compare import compare_runs
from .runs_export import export_runs
from .runs_list import list_runs
from .runs_query import query_runs
from .runs_show import show_run
from .runs_tail import tail_run


@click.group()
def runs() -> None:
    """List the runs and look at one, compare some, or watch one train."""


runs.add_command(list_runs)
runs.add_command(show_run)
runs.add_command(compare_runs)
runs.add_command(tail_run)
runs.add_command(query_runs)
runs.add_command(export_runs)
