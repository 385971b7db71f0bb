"""Brings run folders into the tables: only what is new, but a run that was cut back or overwritten anew."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from ...domain.run import RunSummary
from ...domain.secret_text import Redact, redacted_value
from .ledger_rows import LEDGER, ledger_rows, ledger_state
from .log_reading import Mark, Rewritten, is_unread, new_parts
from .run_rows import ROLLOUT_TABLES, Row, RunLines, figure, integer, plain, read_rows

_LOGS = ("metrics.jsonl", "timings.jsonl", "evaluations.jsonl", "alarms.jsonl", "completions.jsonl")
_MANIFEST = "manifest"

_INSERT = {
    "metrics": "INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?)",
    # Where both logs had a figure of one name, that of the metrics counts, whichever was read first.
    "timings": "INSERT OR IGNORE INTO metrics VALUES (?, ?, ?, ?)",
    "evaluations": "INSERT OR REPLACE INTO evaluations VALUES (?, ?, ?, ?, ?, ?)",
    "alarms": "INSERT INTO alarms VALUES (?, ?, ?, ?)",
    "ledger": "INSERT OR REPLACE INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    # What was recorded as it happened is not touched.
    "rollouts": "INSERT OR IGNORE INTO rollouts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "attempts": "INSERT OR IGNORE INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "rewards": "INSERT OR IGNORE INTO rewards VALUES (?, ?, ?, ?, ?, ?)",
}

_PART = 1 << 20
"""Bytes of a log that are brought in at once: their rows are inserted in a fraction of a second."""

_TRIES = 100
"""Each time another process has brought a part in, so that it is nearer to its end."""

Known = Mapping[str, Mapping[str, Mark]]
"""By run and file."""


class _OvertakenError(Exception):
    """Another process has brought the same part in."""


class RunIndex:
    """Writes through one connection, a part of a log a transaction.

    What is read, parsed and redacted is so before the transaction: a training's spans wait for nobody long.

    Args:
        redact: takes secrets out of texts.
    """

    def __init__(self, connection: sqlite3.Connection, redact: Redact) -> None:
        self._connection = connection
        self._redact = redact

    def known(self) -> Known:
        """How much of every file is in the tables."""
        marks: dict[str, dict[str, Mark]] = {}
        for file, run, *mark in self._connection.execute(
            "SELECT file, run, size, changed, digest, damaged FROM indexed WHERE run <> ''"
        ):
            marks.setdefault(run, {})[file.removeprefix(f"{run}/")] = Mark(*mark)
        return marks

    def bring_in(self, summary: RunSummary, known: Mapping[str, Mark]) -> Iterator[str]:
        """What is new of a run.

        Args:
            known: its part of ``known()``.

        Returns:
            a sentence for every file that could not be read whole.
        """
        folder = Path(summary.path)
        run = run_name(folder)
        try:
            if self._is_changed(folder, summary, known):
                self._bring_in(run, folder, summary)
                known = self.known_of(run)
            for file, mark in known.items():
                if mark.damaged:
                    yield f"run {run}: of {file} {_counted(mark.damaged)} left out: damaged"
        except (OSError, TypeError, ValueError) as cause:
            yield f"run {run} could not be read: {type(cause).__name__}: {self._redact(str(cause))[:200]}"

    def known_of(self, run: str) -> dict[str, Mark]:
        query = "SELECT file, size, changed, digest, damaged FROM indexed WHERE run = ?"
        rows = self._connection.execute(query, (run,))
        return {file.removeprefix(f"{run}/"): Mark(*mark) for file, *mark in rows}

    def forget(self, run: str) -> None:
        """All that the run's folder had brought in. Spans, and what was recorded as it happened, stay."""
        keys = f"{run}/", f"{run}0"  # "0" follows "/", so that these are all keys that begin with the run
        ours = "SELECT id FROM rollouts WHERE id > ? AND id < ? AND origin <> 'traced'"
        for table in ("attempts", "rewards"):
            self._connection.execute(f"DELETE FROM {table} WHERE rollout IN ({ours})", keys)
        self._connection.execute("DELETE FROM rollouts WHERE id > ? AND id < ? AND origin <> 'traced'", keys)
        for table in ("metrics", "evaluations", "alarms", "ledger", "indexed"):
            self._connection.execute(f"DELETE FROM {table} WHERE run = ?", (run,))
        self._connection.execute("DELETE FROM runs WHERE id = ?", (run,))

    def _is_changed(self, folder: Path, summary: RunSummary, known: Mapping[str, Mark]) -> bool:
        """Told without reading any log."""
        if known.get(_MANIFEST, Mark()).digest != _state(summary):
            return True
        if known.get(LEDGER, Mark(digest="")).digest != ledger_state(folder / LEDGER):
            return True
        return any(is_unread(folder / log, known.get(log, Mark())) for log in _LOGS)

    def _bring_in(self, run: str, folder: Path, summary: RunSummary) -> None:
        row = _run_row(run, summary, self._redact)
        for _ in range(_TRIES):
            known, places = self._read_before(run)
            try:
                self._read(run, folder, known, places)
                break
            except Rewritten:
                with transaction(self._connection):
                    if self.known_of(run) == known:
                        self.forget(run)
            except _OvertakenError:
                continue
        else:
            raise OSError("other processes read it as well; run the command again")
        with transaction(self._connection):
            self._connection.execute(f"INSERT OR REPLACE INTO runs VALUES ({', '.join('?' * len(row))})", row)
            self._mark(run, _MANIFEST, Mark(digest=_state(summary)))

    def _read(
        self, run: str, folder: Path, known: dict[str, Mark], places: dict[tuple[int, int], int]
    ) -> None:
        """From where it was read last; ``known`` goes on with it."""
        self._read_ledger(run, folder / LEDGER, known)
        readers = RunLines(run, self._redact, places).readers()
        for log in _LOGS:
            for lines, new in new_parts(folder / log, known.get(log, Mark()), _PART):
                rows, damaged = read_rows(lines, readers[log])
                before = known.get(log)
                mark = Mark(new.size, new.changed, new.digest, (before or Mark()).damaged + damaged)
                if before is None and not mark.size:
                    continue  # nothing was read: a mark would outlive the file
                if mark != (before or Mark()):
                    with self._going_on(run, log, before):
                        self._insert(rows)
                        self._mark(run, log, mark)
                    known[log] = mark

    @contextmanager
    def _going_on(self, run: str, file: str, known: Mark | None) -> Iterator[None]:
        """A transaction on what follows the mark; another process may have been there since."""
        with transaction(self._connection):
            if self.known_of(run).get(file) != known:
                raise _OvertakenError
            yield

    def _read_before(self, run: str) -> tuple[dict[str, Mark], dict[tuple[int, int], int]]:
        """How far its files were read, and how many answers there were to each prompt of a step then."""
        query = "SELECT step, prompt, count(*) FROM rollouts WHERE id > ? AND id < ? AND origin = 'run'"
        self._connection.execute("BEGIN")  # both of one time
        try:
            known = self.known_of(run)
            rows = self._connection.execute(f"{query} GROUP BY step, prompt", (f"{run}/", f"{run}0"))
            return known, {(step, prompt): count for step, prompt, count in rows}
        finally:
            self._connection.execute("COMMIT")

    def _read_ledger(self, run: str, file: Path, known: dict[str, Mark]) -> None:
        """As a whole: a trial that failed is judged again in its place."""
        state, before = ledger_state(file), known.get(LEDGER)
        if state == (before.digest if before else ""):
            return
        if not state:
            raise Rewritten
        try:
            rows, damaged = ledger_rows(file, run, self._redact)
        except sqlite3.Error as cause:
            raise OSError(f"{file.name}: {cause}") from cause
        mark = Mark(digest=state, damaged=damaged)
        with self._going_on(run, LEDGER, before):
            self._forget_search(run)
            self._insert(rows)
            self._mark(run, LEDGER, mark)
        known[LEDGER] = mark

    def _forget_search(self, run: str) -> None:
        keys = f"{run}/", f"{run}0"
        for table, column in zip(reversed(ROLLOUT_TABLES), ("rollout", "rollout", "id"), strict=True):
            ours = "SELECT id FROM rollouts WHERE id > ? AND id < ? AND origin = 'search'"
            self._connection.execute(f"DELETE FROM {table} WHERE {column} IN ({ours})", keys)
        self._connection.execute("DELETE FROM ledger WHERE run = ?", (run,))

    def _insert(self, rows: Mapping[str, Sequence[Row]]) -> None:
        for table, new in rows.items():
            self._connection.executemany(_INSERT[table], new)

    def _mark(self, run: str, file: str, mark: Mark) -> None:
        row = f"{run}/{file}", run, mark.size, mark.changed, mark.digest, mark.damaged
        self._connection.execute("INSERT OR REPLACE INTO indexed VALUES (?, ?, ?, ?, ?, ?)", row)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing, while nobody else writes."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def run_name(folder: Path) -> str:
    """Its folder's name, by which it is found, as a text that SQLite can keep."""
    return folder.name.encode("utf-8", "backslashreplace").decode()


def _counted(lines: int) -> str:
    return "1 line was" if lines == 1 else f"{lines} lines were"


def _state(summary: RunSummary) -> str:
    """Another text whenever the manifest, the status or the step differs."""
    told = [summary.status, summary.steps, _place(summary), summary.manifest]
    return sha256(json.dumps(told).encode()).hexdigest()


def _place(summary: RunSummary) -> str:
    """The same from wherever the program is called."""
    return str(Path(summary.path).absolute())


def _run_row(run: str, summary: RunSummary, redact: Redact) -> Row:
    """Raises TypeError or ValueError when the manifest is no run's."""
    manifest: Mapping[str, Any] = redacted_value("", summary.manifest, redact)
    return (
        run, plain(summary.name), plain(manifest["algorithm"]), plain(summary.status),
        _text(summary.model), plain(summary.started), _text(manifest["finished"]),
        integer(summary.steps), integer(summary.planned_steps), figure(manifest["seconds"]) or 0.0,
        None if manifest["seed"] is None else integer(manifest["seed"]), _text(manifest.get("error")),
        plain(_place(summary)), json.dumps(manifest),
    )  # fmt: skip


def _text(value: Any) -> str | None:
    return None if value is None else plain(value)
