"""What a prompt search has kept: its ledger in SQLite, and the tasks that it searched on, read only."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...domain.conversation import Conversation
from ...domain.conversation_json import from_json
from ...domain.run import RunSummary
from .ledger_tables import damaged, explained

LEDGER, TASKS = "ledger.sqlite3", "tasks.jsonl"

_TRIALS = (
    "SELECT candidate, task, score, verdict, completion, tokens, seconds,"
    " engine IS NOT coalesce((SELECT engine FROM candidates ORDER BY number DESC LIMIT 1), engine)"
    " FROM trials ORDER BY engine, task, candidate, replicate"
)
"""The engine that has thought of the newest candidate is the one that searches; a search that goes on with
another one leaves what the former has answered where it is."""
_CANDIDATES = "SELECT record FROM candidates ORDER BY number"


class RecordedAnswers:
    """Implements ``SearchAnswers`` on the folders of runs. What is not there is empty."""

    def tasks(self, run: RunSummary) -> Mapping[str, Conversation]:
        """See the port. A line that is none of ours is passed over."""
        file = Path(run.path) / TASKS
        if not file.is_file():
            return {}
        found = dict[str, Conversation]()
        with file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    task = json.loads(line)
                    found[str(task["id"])] = from_json(json.dumps(task["asked"]))
                except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
                    continue
        return found

    def trials(self, run: RunSummary) -> Iterator[Mapping[str, Any]]:
        """See the port."""
        for candidate, task, score, verdict, completion, tokens, seconds, former in _rows(run, _TRIALS):
            yield {
                "candidate": candidate,
                "task": task,
                "reward": score,
                "verdict": verdict,
                "completion": _parsed(run, completion),
                "tokens": tokens,
                "seconds": seconds,
                "former": bool(former),
            }

    def candidates(self, run: RunSummary) -> Sequence[Mapping[str, Any]]:
        """See the port. What is none of ours is passed over."""
        records = (_parsed(run, record) for (record,) in _rows(run, _CANDIDATES))
        return [record for record in records if isinstance(record, dict)]


def _rows(run: RunSummary, query: str) -> Iterator[Any]:
    file = Path(run.path) / LEDGER
    if not file.is_file():
        return
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True)) as ledger:
            ledger.execute("PRAGMA trusted_schema=OFF")  # a stranger's file calls no functions
            yield from ledger.execute(query)
    except (sqlite3.Error, UnicodeDecodeError) as cause:
        raise explained(file, cause) from cause


def _parsed(run: RunSummary, value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, TypeError, RecursionError) as cause:
        raise damaged(Path(run.path) / LEDGER, str(cause)) from cause
