"""``cesello runs query``: what is known of the runs, asked with SQL."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import click

from ...domain.errors import DataError, UsageError
from ...domain.ports.trace import TraceStore
from ..signals import SignalStop, listening
from .output import echo_json, echo_table, printable

_WIDEST = 80
"""Characters of a cell on a terminal."""


@click.command("query")
@click.argument("sql", required=False)
@click.option("--runs", "folder", default="runs", show_default=True, help="The folder of the runs.")
@click.option("--tables", is_flag=True, help="Show the tables and their columns.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="Rows at most.")
@click.option("--seconds", type=click.FloatRange(0.01), default=60.0, show_default=True, help="Time at most.")
@click.option("--no-refresh", is_flag=True, help="Ask what is known already; run folders are not looked at.")
def query_runs(
    sql: str | None,
    folder: str,
    tables: bool,
    as_json: bool,
    as_csv: bool,
    limit: int,
    seconds: float,
    no_refresh: bool,
) -> None:
    """Ask what is known of all runs with SQL; nothing can be changed by it.

    SQL is one SELECT of SQLite; `-` reads it from the standard input.
    """
    if tables == (sql is not None) or (as_json and as_csv):
        raise UsageError(
            "C160",
            "the query is wrong",
            expected="SQL or --tables, and at most one of --json and --csv",
            fix='`cesello runs query "SELECT id, status FROM runs"`',
        )
    store = opened_store(folder, refresh=not no_refresh)
    question = _TABLES if sql is None else sys.stdin.read() if sql == "-" else sql
    with listening(SignalStop()) as stop:
        # One more tells whether there are more.
        names, rows = store.query(question, limit=limit + 1, seconds=seconds, stop=stop)
    _show(_distinct(names), rows[:limit], as_json, as_csv)
    if len(rows) > limit:
        click.echo(f"the first {limit:,} rows: raise --limit for more", err=True)


_TABLES = """
SELECT t.name AS "table", c.name AS "column", lower(c.type) AS type
FROM pragma_table_list AS t, pragma_table_xinfo(t.name) AS c
WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%' AND t.name <> 'indexed' ORDER BY t.name, c.cid
"""


def opened_store(folder: str, *, refresh: bool) -> TraceStore:
    """The run store of a folder, brought up to date; what could not be read is said.

    Raises:
        DataError: D063 when there is no such folder. CeselloError: those of ``refresh``.
    """
    from ..trace_wiring import trace_store

    if not Path(folder).is_dir():
        raise DataError(
            "D063", "there are no runs yet", where=folder,
            fix="train something, or name another folder with --runs",
        )  # fmt: skip
    store = trace_store(folder)
    if refresh:
        for sentence in store.refresh():
            click.echo(printable(sentence), err=True)
    return store


def _show(names: Sequence[str], rows: Sequence[Sequence[Any]], as_json: bool, as_csv: bool) -> None:
    if as_json:
        echo_json([dict(zip(names, map(_plain, row), strict=True)) for row in rows])
    elif as_csv:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(map(printable, names))
        writer.writerows([_cell(value) for value in row] for row in rows)
        click.echo(text.getvalue(), nl=False)
    else:
        figures = [all(isinstance(row[at], int | float) for row in rows) for at in range(len(names))]
        right = [at for at, only in enumerate(figures) if only and rows]
        echo_table(
            [_short(name) for name in names], [[_short(one) for one in row] for row in rows], right=right
        )


def _plain(value: Any) -> Any:
    """What JSON can hold: it has no word for the infinite."""
    if isinstance(value, float) and not isfinite(value):
        return None
    return value.hex() if isinstance(value, bytes) else value


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return value
    return printable(value) if isinstance(value, str) else _plain(value)


def _short(value: Any) -> str:
    """On one line of a terminal."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = " ".join(printable(str(_plain(value))[: 50 * _WIDEST]).split())
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _distinct(names: Sequence[str]) -> list[str]:
    """Two columns of one name would be one in JSON."""
    made: list[str] = []
    for name in names:
        number = sum(one == name or one.startswith(f"{name}:") for one in made)
        made.append(f"{name}:{number}" if number else name)
    return made
