"""One SQLite file, shared by the threads of a process."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Any

from .chunk_tables import FILE, connected, damaged, explained

Run = Callable[..., sqlite3.Cursor]


class ChunkDatabase:
    """The tables of ``chunk_tables``, opened at their first use.

    Args:
        folder: which they are in.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = os.fspath(folder.absolute() / FILE)
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._writing = False
        self._opened = 0
        self.turn = RLock()

    def found(self) -> bool:
        """Whether there is anything to read.

        A file that was taken away, or replaced, is still read by who has it open: that is looked for here,
        but not within a transaction, and not by a writer, whose file nobody else may replace.
        """
        with self.turn:
            held = self._connection
            if held and not (self._writing or held.in_transaction) and self._identity() != self._file:
                self.close()
            if self._connection is None:
                self._open(writing=False)
            return self._connection is not None

    def open_to_write(self) -> None:
        """Makes what is not there."""
        with self.turn:
            self.close()
            self._open(writing=True)

    def _open(self, *, writing: bool) -> None:
        self._file = self._identity()  # before: one that is replaced now is opened again
        self._connection = connected(self._folder, writing=writing)
        self._writing = writing
        self._opened += 1

    def _identity(self) -> tuple[int, int] | None:
        """Which file has the name, None where none has."""
        try:
            state = os.stat(self._path)  # before each query: of a Path it takes thrice the time
        except OSError:
            return None
        return state.st_dev, state.st_ino

    def close(self) -> None:
        """The next use opens it again."""
        with self.turn:
            if self._connection is not None:
                if self._writing:
                    with suppress(sqlite3.DatabaseError):
                        # The log too has what was forgotten; who reads this moment is not waited for.
                        self._connection.execute("PRAGMA busy_timeout=0")
                        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._connection.close()
            self._connection = None
            self._writing = False

    def all(self, query: str, *values: Any) -> list[Any]:
        """The rows of a query.

        Raises:
            StoreError: S012.
        """
        with self.turn, self._explained():
            if not self.found():  # another thread's writer closed it, and somebody took the file away
                raise sqlite3.OperationalError("the file is gone")
            assert self._connection is not None
            return self._connection.execute(query, values).fetchall()

    def one(self, query: str, *values: Any) -> Any:
        """The only row."""
        return self.all(query, *values)[0]

    def version(self) -> tuple[int, int, int]:
        """Another one after every change, by whichever process, and of every file."""
        assert self._connection is not None
        (others,) = self.one("PRAGMA data_version")
        return self._opened, others, self._connection.total_changes

    def revision(self) -> tuple[int, int]:
        """Another one after every change of what is remembered, and of every file."""
        return self._opened, self.number("revision")

    def many(self, query: str, rows: Iterable[Sequence[Any]]) -> None:
        """A statement for each row."""
        assert self._connection is not None
        self._connection.executemany(query, rows)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """All that is read within this is of one moment."""
        with self.turn, self._explained():
            if not self.found() or self._connection is None or self._connection.in_transaction:
                yield
                return
            connection = self._connection
            connection.execute("BEGIN")
            try:
                yield
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def changing(self) -> Iterator[Run]:
        """A transaction, taken back when it raises."""
        with self.turn, self._explained():
            assert self._connection is not None, "only a writer changes anything"
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection.execute
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def meta(self, name: str) -> str:
        """A value that there is one of; empty where it was never set."""
        rows = self.all("SELECT value FROM meta WHERE name = ?", name)
        return str(rows[0][0]) if rows else ""

    def number(self, name: str) -> int:
        """A value that is a number, 0 where it was never set."""
        try:
            return int(self.meta(name) or 0)
        except ValueError as cause:
            raise damaged(self._folder / FILE, cause) from cause

    def set_meta(self, name: str, value: object) -> None:
        """Inside ``changing``."""
        self.many("INSERT OR REPLACE INTO meta VALUES (?, ?)", [(name, str(value))])

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as cause:
            raise explained(self._folder / FILE, cause) from cause
