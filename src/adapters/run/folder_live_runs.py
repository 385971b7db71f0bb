"""Runs read from their folders, as another process may be writing them."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...domain.answer_pairs import SCORES
from ...domain.ports.live_runs import News
from ...domain.prompt_json import program_from
from ...domain.run_figures import TriedPrompt
from .log_tail import LogTail, parsed

_LOGS = ("metrics", "timings", "evaluations", "alarms")
_REPORT, _LEDGER = "search.json", "ledger.sqlite3"
_LARGEST = 64 << 20
"""Bytes of a file that is read at once."""

_SHORT = 1 << 16
"""Bytes up to which a log is read whole, where some lines of it would do."""

_MOST_PROMPTS = 10_000


class FolderLogs:
    """The logs of one run."""

    def __init__(self, folder: Path) -> None:
        self._logs = {name: LogTail(folder / f"{name}.jsonl") for name in _LOGS}

    def news(self) -> News:
        """See the port."""
        anew = any(log.was_cut() for log in self._logs.values())
        if anew:
            for log in self._logs.values():
                log.rewind()
        return News(anew, self._lines())

    def quiet(self) -> float | None:
        """See the port."""
        written = [at for log in self._logs.values() if (at := log.written()) is not None]
        return max(time.time() - max(written), 0.0) if written else None

    def _lines(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for name, log in self._logs.items():
            for line in log.lines():
                yield name, line


class FolderLiveRuns:
    """Runs of folders, at whatever path they are."""

    def logs(self, path: str) -> FolderLogs:
        """See the port."""
        return FolderLogs(Path(path))

    def some(self, path: str, log: str, count: int) -> Sequence[Mapping[str, Any]]:
        """See the port."""
        file = Path(path) / f"{log}.jsonl"
        try:
            if not file.is_file():
                return ()
            size = file.stat().st_size
            return _some_lines(file, size, count) if size > _SHORT else _lines(file)
        except OSError:
            return ()

    def answers(self, path: str, when: str) -> Sequence[Mapping[str, Any]]:
        """See the port."""
        return _all_lines(Path(path) / f"samples-{when}.jsonl")

    def scores(self, path: str, when: str) -> Sequence[Mapping[str, Any]]:
        """See the port."""
        return [one for one in _all_lines(Path(path) / f"{SCORES}.jsonl") if one.get("when") == when]

    def tried(self, path: str) -> Sequence[TriedPrompt]:
        """From the report of a search that has ended, or from the ledger of one that goes on."""
        return _reported(Path(path) / _REPORT) or _in_ledger(Path(path) / _LEDGER)


def _all_lines(file: Path) -> Sequence[Mapping[str, Any]]:
    """None where the file cannot be read, or is too long to be read at once."""
    try:
        return _lines(file) if file.is_file() and file.stat().st_size <= _LARGEST else ()
    except OSError:
        return ()


def _lines(file: Path) -> list[Mapping[str, Any]]:
    with file.open("rb") as log:
        return [values for line in log if line.endswith(b"\n") and (values := parsed(line)) is not None]


def _some_lines(file: Path, size: int, count: int) -> list[Mapping[str, Any]]:
    """The line that follows each of evenly spread places, and the last one."""
    found, reached = [], 0
    with file.open("rb") as log:
        for place in (size * at // count for at in range(count)):
            if place < reached:
                continue
            log.seek(place)
            if place:
                log.readline(_SHORT)
            found.append(log.readline(_SHORT))
            reached = log.tell()
        log.seek(max(size - _SHORT, 0))
        last = log.read().rpartition(b"\n")[0].rpartition(b"\n")[2] + b"\n"
    if last != found[-1]:
        found.append(last)
    return [values for line in found if line.endswith(b"\n") and (values := parsed(line)) is not None]


def _reported(file: Path) -> list[TriedPrompt]:
    try:
        if not file.is_file() or file.stat().st_size > _LARGEST:
            return []
        candidates = json.loads(file.read_bytes())["candidates"]
        return [TriedPrompt(int(one["trials"]), _score(one["mean"])) for one in candidates[:_MOST_PROMPTS]]
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return []


def _in_ledger(file: Path) -> list[TriedPrompt]:
    """As far as the search is: its candidates in order, each with its trials so far."""
    try:
        if not file.is_file():
            return []
        opened = sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True, timeout=1)
        with closing(opened) as ledger:
            ledger.execute("PRAGMA trusted_schema=OFF")  # a stranger's file calls no functions
            engine, programs = _candidates(ledger)
            rows = ledger.execute(
                "SELECT candidate, count(*), avg(score) FROM trials WHERE engine = ? GROUP BY candidate",
                (engine,),
            )
            trials = {name: (count, mean) for name, count, mean in rows}
        return [TriedPrompt(int(count), _score(mean)) for one in programs if (known := trials.get(one))
                for count, mean in [known]]  # fmt: skip
    except (OSError, ValueError, RecursionError, KeyError, TypeError, sqlite3.Error):
        return []


def _candidates(ledger: sqlite3.Connection) -> tuple[str, list[str]]:
    """Of the search that wrote last: another engine gives other scores."""
    rows = ledger.execute(
        "SELECT engine, record FROM candidates ORDER BY number DESC LIMIT ?", (_MOST_PROMPTS,)
    ).fetchall()
    engine = rows[0][0] if rows else ""
    records = [json.loads(record) for its, record in reversed(rows) if its == engine]
    return engine, list(dict.fromkeys(program_from(record["program"]).id for record in records))


def _score(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
