"""The evaluation ledger in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from filelock import FileLock, Timeout

from ...domain.errors import RetryableError
from ...domain.prompt_json import program_from, program_values
from ...domain.prompt_search import FAILED, CandidateRecord, Proposal, Trial, TrialKey
from .ledger_tables import connected, damaged, explained

_PATIENCE = 1.0
"""Seconds to wait for another search, which may be about to end."""

_BATCH = 200
"""Keys of one query; SQLite takes 32,766 values."""

_TRIAL = "candidate, task, replicate, score, reasons, verdict, completion, tokens, prompt_characters, seconds"

_ANEW = ", ".join(f"{name} = excluded.{name}" for name in _TRIAL.split(", ")[3:])


class SqliteLedger:
    """Implements ``EvaluationLedger``. Nothing is opened or written before the first use.

    Args:
        file: made for its owner alone.
        engine: what answers and judges; what another one has answered is not seen.
    """

    def __init__(self, file: Path, engine: str) -> None:
        self._file = file
        self._engine = engine
        self._connection: sqlite3.Connection | None = None
        self._lock = FileLock(file.with_name(f".{file.name}.lock"), timeout=_PATIENCE, mode=0o600)
        self._turn = RLock()

    def trials(self, keys: Sequence[TrialKey]) -> Mapping[TrialKey, Trial]:
        found: dict[TrialKey, Trial] = {}
        wanted = list(dict.fromkeys(keys))
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            values = [value for key in batch for value in (key.candidate, key.task, key.replicate)]
            marks = ", ".join(["(?, ?, ?)"] * len(batch))
            query = (
                f"SELECT {_TRIAL} FROM trials"
                f" WHERE engine = ? AND (candidate, task, replicate) IN (VALUES {marks})"
            )
            found |= {trial.key: trial for trial in map(self._trial, self._all(query, self._engine, *values))}
        return {key: found[key] for key in wanted if key in found}

    def add_trials(self, trials: Sequence[Trial]) -> None:
        rows = [
            (
                self._engine, one.key.candidate, one.key.task, one.key.replicate,
                None if one.score is None else float(one.score), _json(list(one.reasons)), one.verdict,
                _json(one.completion), one.tokens, one.prompt_characters, float(one.seconds),
            )
            for one in trials
        ]  # fmt: skip
        marks = ", ".join("?" * 11)
        with self._changing() as connection:
            connection.executemany(
                f"INSERT INTO trials(engine, {_TRIAL}) VALUES ({marks})"
                f" ON CONFLICT DO UPDATE SET {_ANEW} WHERE trials.verdict = '{FAILED}'",
                rows,
            )

    def proposals(self, key: str) -> list[Proposal] | None:
        rows = self._all("SELECT answer FROM proposals WHERE engine = ? AND key = ?", self._engine, key)
        return self._read(_proposals, rows[0][0]) if rows else None

    def add_proposals(self, key: str, proposals: Sequence[Proposal]) -> None:
        answer = _json(
            [
                {
                    "program": program_values(one.program), "edit": one.edit, "parents": list(one.parents),
                    "calls": one.calls, "tokens": one.tokens,
                }
                for one in proposals
            ]
        )  # fmt: skip
        with self._changing() as connection:
            row = self._engine, key, answer
            connection.execute("INSERT INTO proposals VALUES (?, ?, ?) ON CONFLICT DO NOTHING", row)

    def add_candidate(self, candidate: CandidateRecord) -> None:
        record = {
            "program": program_values(candidate.program), "proposer": candidate.proposer,
            "edit": candidate.edit, "parents": list(candidate.parents), "rejected": candidate.rejected,
        }  # fmt: skip
        with self._changing() as connection:
            query = "INSERT INTO candidates(engine, record) VALUES (?, ?) ON CONFLICT DO NOTHING"
            connection.execute(query, (self._engine, _json(record)))

    def candidates(self) -> Sequence[CandidateRecord]:
        query = "SELECT record FROM candidates WHERE engine = ? ORDER BY number"
        rows = self._all(query, self._engine)
        return [self._read(_candidate, self._read(json.loads, record)) for (record,) in rows]

    def close(self) -> None:
        with self._turn:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            self._lock.release()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._acquire()
            try:
                self._connection = connected(self._file)
            except BaseException:
                self._lock.release()
                raise
        return self._connection

    def _acquire(self) -> None:
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as cause:
            raise RetryableError(
                "T074", "another process writes this run", where=str(self._file.parent),
                fix="wait for it to end",
            ) from cause  # fmt: skip
        except OSError as cause:
            raise explained(self._file, cause) from cause

    def _all(self, query: str, *values: Any) -> list[Any]:
        with self._turn, self._explained():
            return self._open().execute(query, values).fetchall()

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """A transaction, taken back when it raises."""
        with self._turn, self._explained():
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as cause:
            raise explained(self._file, cause) from cause

    def _trial(self, row: Sequence[Any]) -> Trial:
        candidate, task, replicate, score, reasons, verdict, completion, *rest = row
        key = TrialKey(candidate, task, replicate)
        texts = self._read(_texts, self._read(json.loads, reasons))
        return Trial(key, score, texts, verdict, self._read(_text, self._read(json.loads, completion)), *rest)

    def _read(self, read: Any, value: Any) -> Any:
        try:
            return read(value)
        except (ValueError, TypeError, LookupError, RecursionError) as cause:
            raise damaged(self._file, f"{type(cause).__name__}: {cause}"[:200]) from cause


def _json(value: Any) -> str:
    """In ASCII, so that what is no text can be kept too."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError("no list of texts")
    return tuple(value)


def _proposals(text: str) -> list[Proposal]:
    answer = json.loads(text)
    if not isinstance(answer, list):
        raise ValueError("no list of proposals")
    return [_proposal(one) for one in answer]


def _proposal(value: Any) -> Proposal:
    program, parents = program_from(value["program"]), _texts(value["parents"])
    return Proposal(program, str(value["edit"]), parents, int(value["calls"]), int(value["tokens"]))


def _candidate(value: Any) -> CandidateRecord:
    program, parents = program_from(value["program"]), _texts(value["parents"])
    return CandidateRecord(
        program, str(value["proposer"]), str(value["edit"]), parents, str(value["rejected"])
    )
