"""All that is known of a project's runs, in one SQLite file beside their folders."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from ...domain.errors import CeselloError
from ...domain.ports.procedure import ProcedureLog
from ...domain.ports.run import RunStore, Stop
from ...domain.secret_text import Redact, redacted
from ...domain.trace import Event, Span, SpanKind, SpanStatus
from ...domain.trace_export import Table
from .export_tables import read_tables
from .guarded_query import ask
from .run_database import connected, explained, read_only
from .run_index import RunIndex, run_name, transaction
from .run_rows import plain

_PROCEDURES = ".procedures"
"""The key of the procedures' log in ``indexed``."""

_SPANS = (
    "SELECT trace_id, span_id, parent_id, name, started, ended, kind, status, message, attributes,"
    " run, rollout, attempt, sequence FROM spans"
)


class SqliteTraceStore:
    """Implements ``TraceStore``. Nothing is opened or made before the first use.

    Args:
        file: in the folder of the runs.
        runs: those of that folder.
        procedures: what came of the project's procedures; None: it has none.
        redact: takes secrets out of what is brought in.
    """

    def __init__(
        self,
        file: Path,
        runs: RunStore,
        procedures: ProcedureLog | None = None,
        redact: Redact = redacted,
    ) -> None:
        self._file = file
        self._runs = runs
        self._procedures = procedures
        self._redact = redact

    def refresh(self) -> Sequence[str]:
        """See the port.

        What was recorded as it happened stays, spans above all, even where the run's folder is gone: it is
        kept nowhere else.
        """
        with closing(connected(self._file)) as connection, self._explained():
            index = RunIndex(connection, self._redact)
            known = index.known()
            told: list[str] = []
            there: set[str] = set()
            for summary in self._runs.list():
                run = run_name(Path(summary.path))
                there.add(run)
                told += index.bring_in(summary, known.get(run, {}))
            for run in sorted(self._unreadable() - there):
                there.add(run)
                told.append(f"run {run} could not be read: its manifest.json is damaged")
            for run in known.keys() - there:
                with transaction(connection):
                    index.forget(run)
            return [*told, *self._refresh_procedures(connection)]

    def query(
        self, sql: str, *, limit: int | None = None, seconds: float | None = None, stop: Stop | None = None
    ) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        """See the port."""
        with closing(read_only(self._file)) as connection:
            return ask(connection, sql, limit=limit, seconds=seconds, stop=stop)

    def spans(self, run: str | None = None) -> Iterator[Span]:
        """See the port."""
        where, values = ("", ()) if run is None else (" WHERE run = ?", (run,))
        with closing(read_only(self._file)) as connection, self._explained():
            for row in connection.execute(f"{_SPANS}{where} ORDER BY started, sequence", values):
                yield _span(row, _events(connection, row[0], row[1]))

    def tables(self, runs: Sequence[str] | None = None) -> Iterator[Table]:
        """See the port."""
        with closing(read_only(self._file)) as connection, self._explained():
            connection.execute("BEGIN")  # all tables as they are at one time
            yield from read_tables(connection, runs)

    def counts(self) -> Mapping[str, int]:
        """See the port."""
        with closing(read_only(self._file)) as connection, self._explained():
            query = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
            names = [name for (name,) in connection.execute(query)]
            return {
                name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names
            }

    def _unreadable(self) -> set[str]:
        """Folders that look like a run's, whether or not their manifest can be read."""
        return {run_name(file.parent) for file in self._file.parent.glob("*/manifest.json")}

    def _refresh_procedures(self, connection: sqlite3.Connection) -> Iterator[str]:
        if self._procedures is None:
            return
        try:
            rows = [
                (
                    plain(one.id), plain(one.name), plain(one.sha), self._redact(plain(one.request)),
                    plain(one.mode), plain(one.outcome), plain(one.started), plain(one.finished),
                    int(one.held_out), plain(one.origin),
                )
                for one in self._procedures.runs()
            ]  # fmt: skip
        except CeselloError as cause:
            yield f"what came of procedures could not be read: {cause.what}"
            return
        digest = sha256(json.dumps(rows).encode()).hexdigest()
        query = "SELECT digest FROM indexed WHERE file = ?"
        if connection.execute(query, (_PROCEDURES,)).fetchone() == (digest,):
            return
        with transaction(connection):
            connection.execute("DELETE FROM procedure_runs")
            insert = "INSERT OR REPLACE INTO procedure_runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            connection.executemany(insert, rows)
            mark = "INSERT OR REPLACE INTO indexed VALUES (?, '', 0, 0, ?, 0)"
            connection.execute(mark, (_PROCEDURES, digest))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as cause:
            raise explained(self._file, cause) from cause


def _events(connection: sqlite3.Connection, trace_id: str, span_id: str) -> tuple[Event, ...]:
    query = (
        "SELECT name, happened, attributes FROM events WHERE trace_id = ? AND span_id = ? ORDER BY sequence"
    )
    rows = connection.execute(query, (trace_id, span_id))
    return tuple(Event(name, happened, json.loads(attributes)) for name, happened, attributes in rows)


def _span(row: Any, events: tuple[Event, ...]) -> Span:
    trace_id, span_id, parent_id, name, started, ended, kind, status, message, attributes, *place = row
    return Span(
        trace_id, span_id, parent_id, name, started, ended, SpanKind(kind), SpanStatus(status), message,
        json.loads(attributes), events, *place,
    )  # fmt: skip
