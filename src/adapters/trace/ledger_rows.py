"""What the ledger of a prompt search holds, read beside the search that writes it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...domain.secret_text import Redact
from .run_rows import Row, Rows, figure, integer, outcome, plain

LEDGER = "ledger.sqlite3"
_COLUMNS = "engine, candidate, task, replicate, score, reasons, verdict, completion, tokens, seconds"


def ledger_state(file: Path) -> str:
    """Another text whenever something was written; empty where there is no ledger."""
    if not file.exists() or file.is_symlink():
        return ""
    found, log = file.stat(), _log(file)
    state = f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"
    return f"{state} {log.stat().st_size}:{log.stat().st_mtime_ns}" if _is_written(log) else state


def ledger_rows(file: Path, run: str, redact: Redact) -> tuple[Rows, int]:
    """Rows by table, and how many trials were damaged.

    Raises:
        sqlite3.Error, OSError: when it cannot be read.
    """
    rows: dict[str, list[Row]] = {"ledger": [], "rollouts": [], "attempts": [], "rewards": []}
    damaged = 0
    for trial in _trials(file):
        try:
            found = _rows(trial, run, redact)
        except (ValueError, TypeError, RecursionError):
            damaged += 1
            continue
        for table, row in found:
            rows[table].append(row)
    return rows, damaged


def _log(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")


def _is_written(log: Path) -> bool:
    return log.exists() and log.stat().st_size > 0


def _trials(file: Path) -> list[Any]:
    # Where nobody writes, SQLite is to leave no file of its own in the folder of the run.
    mode = "mode=ro" if _log(file).exists() else "mode=ro&immutable=1"
    name = f"file:{quote(str(file.absolute()))}?{mode}"
    with closing(sqlite3.connect(name, uri=True, timeout=10, isolation_level=None)) as connection:
        connection.execute("PRAGMA trusted_schema=OFF")  # a stranger's file calls no functions
        connection.execute("PRAGMA query_only=ON")
        return connection.execute(f"SELECT {_COLUMNS} FROM trials").fetchall()


def _rows(trial: Any, run: str, redact: Redact) -> list[tuple[str, Row]]:
    """Raises TypeError or ValueError when anything of it is damaged."""
    engine, candidate, task = (plain(name) for name in trial[:3])
    replicate, score = integer(trial[3]), figure(trial[4])
    reasons = ", ".join(plain(one) for one in json.loads(trial[5])) or None
    verdict, completion = plain(trial[6]), redact(plain(json.loads(trial[7])))
    tokens, seconds = integer(trial[8]), figure(trial[9]) or 0.0
    key = f"{run}/{candidate}/{task}/{replicate}/{engine[:12]}"
    status = outcome(verdict)
    figures = completion, tokens, None, score, None, None, verdict or None, None
    return [
        ("ledger", (run, engine, candidate, task, replicate, score, verdict, tokens, seconds)),
        ("rollouts", (key, run, "search", None, None, replicate, task, candidate, None, status)),
        ("attempts", (key, 1, None, status, None, None, *figures)),
        ("rewards", (key, 1, "score", score, verdict or None, reasons)),
    ]
