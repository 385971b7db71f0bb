"""What came of procedures, in a SQLite file that nobody else reads."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...domain.procedure import Outcome, ProcedureRun, StepRun
from ...domain.text_hazards import masked
from .learnt_database import damaged, opened

_FORM = 1
_TABLES = """
CREATE TABLE run (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL, sha TEXT NOT NULL,
    request TEXT NOT NULL, mode TEXT NOT NULL, outcome TEXT NOT NULL, started TEXT NOT NULL,
    finished TEXT NOT NULL, held_out INTEGER NOT NULL, reward REAL, origin TEXT NOT NULL, steps TEXT NOT NULL
) STRICT;
CREATE INDEX run_by_name ON run (name, number);
CREATE INDEX run_by_id ON run (id, number)
"""
_COLUMNS = "id, name, sha, request, mode, outcome, started, finished, held_out, reward, origin, steps"


class SqliteProcedureLog:
    """Implements ``ProcedureLog``. A file that is not there yet is made by the first row.

    Secrets in requests and in what steps gave are masked before they are written.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def add(self, *runs: ProcedureRun) -> None:
        """See the port."""
        with opened(self._file, _TABLES, _FORM) as connection:
            marks = ", ".join("?" * len(_COLUMNS.split(",")))
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(f"INSERT INTO run ({_COLUMNS}) VALUES ({marks})", map(_row, runs))
            connection.execute("COMMIT")

    def runs(self, name: str | None = None, last: int | None = None) -> Sequence[ProcedureRun]:
        """See the port."""
        if not self._file.exists():
            return ()
        where, values = ("", []) if name is None else (" AND name = ?", [name])
        query = (
            f"SELECT {_COLUMNS} FROM run WHERE number IN (SELECT max(number) FROM run GROUP BY id)"
            f"{where} ORDER BY (SELECT min(number) FROM run AS first WHERE first.id = run.id) DESC LIMIT ?"
        )
        with opened(self._file, _TABLES, _FORM) as connection:
            rows = connection.execute(query, (*values, -1 if last is None else last)).fetchall()
            return [_run(row, self._file) for row in rows]


def _row(run: ProcedureRun) -> tuple[Any, ...]:
    tried = [{**asdict(step), "evidence": masked(step.evidence)} for step in run.steps]
    steps = json.dumps(tried, ensure_ascii=True)
    texts = [_sound(text) for text in (run.id, run.name, run.sha, masked(run.request), run.mode, run.outcome)]
    return (*texts, run.started, run.finished, int(run.held_out), run.reward, _sound(run.origin), steps)


def _sound(text: str) -> str:
    """Half a pair of surrogates, as a terminal gives it, is no text to SQLite."""
    return text.encode("utf-8", "replace").decode()


def _run(row: sqlite3.Row | tuple[Any, ...], file: Path) -> ProcedureRun:
    identity, name, sha, request, mode, outcome, started, finished, held_out, reward, origin, steps = row
    try:
        tried = tuple(StepRun(**step) for step in json.loads(steps))
        return ProcedureRun(
            identity, name, sha, request, mode, Outcome(outcome), started, finished, bool(held_out), reward,
            origin, tried,
        )  # fmt: skip
    except (TypeError, ValueError) as cause:
        raise damaged(file, str(cause)) from cause
