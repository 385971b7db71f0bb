"""Folders of runs as trainings and searches leave them, a line at a time, for what reads them into tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from cesello.adapters.prompt.ledger_tables import connected


def write_manifest(folder: Path, **changes: Any) -> None:
    """One that can be listed."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {
        "id": folder.name, "name": "demo", "algorithm": "grpo", "status": "completed", "seed": 7,
        "started": "2026-01-02T03:04:05+00:00", "finished": "2026-01-02T03:14:05+00:00", "steps": 2,
        "planned_steps": 2, "seconds": 600.0, "model": {"name": "tiny"}, "error": None,
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))


def write_log(folder: Path, name: str, lines: Sequence[Mapping[str, Any]]) -> None:
    """Adds to it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.jsonl").open("a", encoding="ascii") as log:
        log.writelines(json.dumps(line) + "\n" for line in lines)


def completion(
    step: int, prompt: int, text: str, reward: float | None = 1.0, **changes: Any
) -> dict[str, Any]:
    """A line of ``completions.jsonl``."""
    return {
        "step": step, "prompt": prompt, "replaced": False, "question": f"question {prompt}",
        "procedure": None, "completion": text, "turns": 1, "tools": {}, "tokens": len(text),
        "finished": True, "reward": reward, "parts": {} if reward is None else {"right": reward},
        "reasons": [], "verdict": None, "advantage": 0.5, "kl": None,
    } | changes  # fmt: skip


def write_trials(folder: Path, trials: Sequence[tuple[str, str, float | None, str]]) -> None:
    """Candidate, task, score and completion of each, into the ledger of a search."""
    with closing(connected(folder / "ledger.sqlite3")) as ledger:
        insert = "INSERT OR REPLACE INTO trials VALUES ('engine', ?, ?, 0, ?, '[\"slow\"]', ?, ?, 3, 10, 0.5)"
        for candidate, task, score, text in trials:
            verdict = "infra_error" if score is None else ""
            ledger.execute(insert, (candidate, task, score, verdict, json.dumps(text)))


def rows(file: Path, query: str) -> list[Any]:
    """Of a database, asked as it lies there."""
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchall()
