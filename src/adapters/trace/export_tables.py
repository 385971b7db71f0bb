"""The tables of the run store, read one after the other, as a whole or of some runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence

from ...domain.trace_export import ColumnKind, Table

_KINDS = {"TEXT": ColumnKind.TEXT, "INTEGER": ColumnKind.WHOLE, "REAL": ColumnKind.REAL}

_RUNS = "(SELECT value FROM json_each(?1))"
_ROLLOUTS = f"(SELECT id FROM rollouts WHERE run IN {_RUNS})"
_OF = {
    "runs": f"id IN {_RUNS}",
    "metrics": f"run IN {_RUNS}",
    "evaluations": f"run IN {_RUNS}",
    "alarms": f"run IN {_RUNS}",
    "rollouts": f"run IN {_RUNS}",
    "attempts": f"rollout IN {_ROLLOUTS}",
    "rewards": f"rollout IN {_ROLLOUTS}",
    "spans": f"run IN {_RUNS}",
    "events": f"(trace_id, span_id) IN (SELECT trace_id, span_id FROM spans WHERE run IN {_RUNS})",
    "ledger": f"run IN {_RUNS}",
    "procedure_runs": f"origin IN {_RUNS}",
}
"""Which rows of a table are a run's. What is indexed is nobody's business but ours."""


def read_tables(connection: sqlite3.Connection, runs: Sequence[str] | None) -> Iterator[Table]:
    """Each table's rows have to be read before the next table is asked for."""
    for name, condition in _OF.items():
        kinds = connection.execute(f"SELECT name, type FROM pragma_table_info('{name}')")
        columns = {column: _KINDS[kind] for column, kind in kinds}
        query = f"SELECT {', '.join(columns)} FROM {name}"
        if runs is None:
            yield Table(name, columns, connection.execute(query))
        else:
            yield Table(name, columns, connection.execute(f"{query} WHERE {condition}", (json.dumps(runs),)))
