"""One statement of a person on the run store: it reads, it ends, and it can be stopped."""

from __future__ import annotations

import resource
import sqlite3
import sys
import time
from collections.abc import Sequence
from itertools import islice
from typing import Any

from ...domain.errors import UsageError
from ...domain.ports.run import Stop

_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
_LOOKING = {"table_info", "table_xinfo", "table_list", "index_list", "index_info"}
"""Pragmas that tell of the tables."""

_TABLE_FUNCTIONS = ("json_each", "json_tree", *(f"pragma_{name}" for name in sorted(_LOOKING)))

_INSTRUCTIONS = 500
"""Of SQLite's machine, between two looks at the clock: microseconds, but each may make one of the longest."""

_LONGEST = 8 << 20
"""Bytes of a text."""

_WIDEST = 128
"""Columns of an answer: its row may have the longest text in each."""

_ANSWER = 64 << 20
"""Bytes of all texts of an answer."""

_MEMORY = 1 << 30
"""Bytes that this process may take beyond what it had: what is sorted and grouped is held in memory."""

_PEAK = 1 if sys.platform == "darwin" else 1024
"""Bytes of a unit of ``ru_maxrss``, see getrusage(2)."""


class _Watch:
    """Ends a statement that takes too much, or that a person has stopped: SQLite itself hears no signal."""

    def __init__(self, seconds: float | None, stop: Stop | None) -> None:
        self._stop = stop
        self._seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds
        self._most = _peak() + _MEMORY
        self.why = ""

    def __call__(self) -> bool:
        if self._stop is not None and self._stop.requested is not None:
            self.why = "stopped"
        elif self._end is not None and time.monotonic() > self._end:
            self.why = f"more than {self._seconds:g} s"
        elif _peak() > self._most:
            self.why = f"more than {_MEMORY >> 20} MiB of memory"
        return bool(self.why)

    def rows(self, cursor: sqlite3.Cursor, limit: int | None) -> list[Sequence[Any]]:
        """One after the other, as long as there is time and room."""
        rows: list[Sequence[Any]] = []
        left = _ANSWER
        for row in islice(cursor, limit):
            rows.append(row)
            left -= sum(len(value) for value in row if isinstance(value, str | bytes))
            if left < 0:
                self.why = f"more than {_ANSWER >> 20} MiB of text"
            if self.why or self():
                raise _TooMuch
        return rows


class _TooMuch(Exception):
    """It is ended between two rows."""


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _PEAK


def ask(
    connection: sqlite3.Connection,
    sql: str,
    *,
    limit: int | None = None,
    seconds: float | None = None,
    stop: Stop | None = None,
) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    """Names of columns, and rows.

    Args:
        connection: not used for anything else afterwards.
        limit: rows at most.
        seconds: after which it is given up.
        stop: asked thousands of times a second. A signal's exception would be lost in a call back of SQLite.

    Raises:
        UsageError: C160 for a statement that is wrong, C161 for one that does not only read, C162
            when it took too long, or too much memory. Interrupted: by the stop. KeyboardInterrupt: by a
            signal, without one.
    """
    tables = _tables(connection)
    for function in _TABLE_FUNCTIONS:
        # It is made at its first use, which is more than reading.
        connection.execute(f"SELECT 1 FROM {function} LIMIT 0")
    watch = _Watch(seconds, stop)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
    connection.setlimit(sqlite3.SQLITE_LIMIT_COLUMN, _WIDEST)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.text_factory = lambda content: content.decode("utf-8", "replace")
    connection.set_authorizer(_may)
    connection.set_progress_handler(watch, _INSTRUCTIONS)
    try:
        cursor = connection.execute(sql)
        rows = watch.rows(cursor, limit)
        if cursor.description is None:
            raise ValueError("no statement")
        return [name for name, *_ in cursor.description], rows
    except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError, _TooMuch) as cause:
        code = getattr(cause, "sqlite_errorcode", None)
        if stop is not None:
            stop.check()
        if code == sqlite3.SQLITE_INTERRUPT and not watch.why:
            raise KeyboardInterrupt from cause
        if watch.why:
            late = watch.why.endswith(" s")
            other = "raise --seconds" if late else "export the tables: `cesello runs export`"
            raise UsageError(
                "C162",
                f"the query took too {'long' if late else 'much'}",
                got=watch.why,
                fix=f"narrow it, or {other}",
            ) from cause
        raise _refused(cause, code, tables) from cause


def _may(action: int, first: str | None, second: str | None, database: str | None, within: str | None) -> int:
    """SQLite asks before it prepares anything; see https://sqlite.org/c3ref/set_authorizer.html."""
    if action in _READING:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_DENY if second == "load_extension" else sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA and first in _LOOKING:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _tables(connection: sqlite3.Connection) -> str:
    query = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
    return ", ".join(name for (name,) in connection.execute(query))


def _refused(cause: Exception, code: int | None, tables: str) -> UsageError:
    if code in (sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY) or "not authorized" in str(cause):
        return UsageError(
            "C161",
            "a query may only read",
            got=str(cause),
            fix="ask with one SELECT: the run folders are the truth, and nothing is changed here",
        )
    return UsageError(
        "C160",
        "the query is wrong",
        got=str(cause) or type(cause).__name__,
        fix=f"the tables are {tables}; `cesello runs query --tables` shows their columns",
    )
