"""Spans in the tables of a project's run store, with what they tell of rollouts, attempts and rewards."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...domain.secret_text import Redact
from ...domain.trace import Span, TracedRun
from .run_database import connected
from .span_rows import COLUMNS, Row, SpanRows, is_attempt, is_rollout

_AT_ONCE = (256, 32, 1)
"""Rows of one statement. SQLite gives Python's lock up in each, and has to wait for it after each."""


class SqliteSpans:
    """Writes; opens the database when there is something to write, and anew when that has been replaced.

    Args:
        redact: takes secrets out of every text.
    """

    def __init__(self, file: Path, redact: Redact) -> None:
        self._file = file
        self._rows = SpanRows(redact)
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None

    def write(self, items: Sequence[Span | TracedRun | str]) -> None:
        """All of them or none.

        Args:
            items: a text is the id of a run that is forgotten.

        Raises:
            CeselloError: those of ``connected``. sqlite3.Error, OSError: nothing was written.
        """
        connection = self._connected()
        connection.execute("BEGIN IMMEDIATE")
        try:
            for part in _parts(items):
                if isinstance(part, str):
                    _forget(connection, part)
                elif isinstance(part, TracedRun):
                    _insert(connection, "runs", [self._rows.run(part)])
                else:
                    self._write_spans(connection, part)
            connection.execute("COMMIT")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """What was not committed is as if it had never been."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _write_spans(self, connection: sqlite3.Connection, spans: Sequence[Span]) -> None:
        rows = self._rows
        _insert(connection, "spans", [rows.span(one) for one in spans])
        _insert(connection, "events", [row for one in spans if one.events for row in rows.events(one)])
        of_rollouts = [one for one in spans if one.rollout]
        if not of_rollouts:
            return
        _insert(connection, "rollouts", [rows.rollout(one) for one in of_rollouts if is_rollout(one)])
        attempts = [one for one in of_rollouts if is_attempt(one)]
        _insert(connection, "attempts", [rows.attempt(one) for one in attempts])
        rewards = [row for one in of_rollouts for row in rows.rewards(one)]
        _insert(connection, "rewards", rewards)
        changed = {(one.rollout, one.attempt) for one in attempts} | {(row[0], row[1]) for row in rewards}
        for rollout, attempt in changed:
            connection.execute(
                "UPDATE attempts SET reward = (SELECT avg(value) FROM rewards "
                "WHERE rollout = ?1 AND attempt = ?2) WHERE rollout = ?1 AND number = ?2",
                (rollout, attempt),
            )

    def _connected(self) -> sqlite3.Connection:
        """A file that is deleted while it is open could be written on for long, and nobody would read it."""
        if self._connection is not None and _place(self._file) != self._opened:
            self.close()
        if self._connection is None:
            self._connection = connected(self._file)
            self._opened = _place(self._file)
        return self._connection


def _place(file: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(file, follow_symlinks=False)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _parts(items: Sequence[Span | TracedRun | str]) -> Iterator[list[Span] | TracedRun | str]:
    """In order, spans together."""
    spans: list[Span] = []
    for one in items:
        if isinstance(one, Span):
            spans.append(one)
            continue
        yield spans
        spans = []
        yield one
    yield spans


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[Row]) -> None:
    """Rows as ``COLUMNS`` has them; those of the same key are replaced."""
    at = 0
    while at < len(rows):
        size = next(size for size in _AT_ONCE if at + size <= len(rows))
        part = rows[at : at + size]
        places = f"({','.join('?' * len(part[0]))})"
        values = [value for row in part for value in row]
        connection.execute(
            f"INSERT OR REPLACE INTO {table}({COLUMNS[table]}) VALUES {','.join([places] * size)}", values
        )
        at += size


def _forget(connection: sqlite3.Connection, run: str) -> None:
    spans = "(SELECT trace_id, span_id FROM spans WHERE run = ?)"
    connection.execute(f"DELETE FROM events WHERE (trace_id, span_id) IN {spans}", (run,))
    connection.execute("DELETE FROM spans WHERE run = ?", (run,))
