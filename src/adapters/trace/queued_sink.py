"""Spans wait in a queue for a thread that writes them, so that who records them never does."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol
from weakref import WeakSet

from ...domain.errors import CeselloError
from ...domain.trace import Span, TracedRun

MOST = 65_536
"""Spans that wait at most; further ones are dropped."""
TOGETHER = 4096
"""That are written at once at most, and without delay where so many wait."""
LINGER = 0.5
"""Seconds from the first span that waits to its writing, for others to come along: a transaction of a few
takes hardly less than one of many."""
CLOSING = 5.0
"""Seconds that ``close`` waits at most."""

Item = Span | TracedRun | str


class Writes(Protocol):
    """Where spans are written to."""

    def write(self, items: Sequence[Item]) -> None:
        """All of them, or none and an exception."""
        ...

    def close(self) -> None:
        """After the last."""
        ...


class QueuedSink:
    """See ``SpanSink``. Its thread begins with the first span and ends with ``close``.

    A process that is forked from this one has neither the thread nor the database: its spans are dropped.

    Args:
        store: used by the thread alone.
        note: told why spans are not kept, at the first failure by the thread, and by ``close`` how many.
        most: see ``MOST``.
    """

    def __init__(self, store: Writes, note: Callable[[str], None], most: int = MOST) -> None:
        self._store, self._note, self._most = store, note, most
        self._queue: deque[Item] = deque()
        self._something = threading.Event()
        self._enough = threading.Event()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()
        self._elsewhere = False
        self._told = False
        self._dropped = self._counted = 0
        _sinks.add(self)

    def left_behind(self) -> None:
        """In a process that was forked: what waits here is the other's."""
        self._lock, self._elsewhere = threading.RLock(), True
        self._queue.clear()

    def put(self, span: Span) -> None:
        self._take(span)

    def tell(self, run: TracedRun) -> None:
        self._take(run)

    def forget(self, run: str) -> None:
        self._take(run)

    def lose(self, spans: int) -> None:
        self._drop(spans)

    @property
    def dropped(self) -> int:
        return self._dropped

    def close(self) -> None:
        if self._elsewhere:
            return
        reason = self._end(self._thread) if self._thread is not None else ""
        if dropped := self._dropped - self._counted:
            self._counted = self._dropped
            spans = "1 span is" if dropped == 1 else f"{dropped:,} spans are"
            why = f": {reason or 'there were more than could be written'}"
            self._tell(f"{spans} not kept{'' if self._told else why}")
        self._told = False

    def _end(self, thread: threading.Thread) -> str:
        """Why what waits is not written, where its thread does not end."""
        self._over.set()
        self._enough.set()
        self._something.set()
        thread.join(CLOSING)
        self._thread = None
        hangs = thread.is_alive()
        self._drop(self._emptied())
        return f"the database took more than {CLOSING:g} seconds" if hangs else ""

    def _take(self, item: Item) -> None:
        waiting, is_span = len(self._queue), isinstance(item, Span)
        # What is no span tells of a whole run, and there are few.
        if self._elsewhere or (is_span and waiting >= self._most):
            self._drop(is_span)
            return
        self._queue.append(item)
        if not self._something.is_set():
            self._something.set()
        if waiting == TOGETHER:
            self._enough.set()
        if self._thread is None:
            self._begin()

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None:
                self._over = threading.Event()
                self._thread = threading.Thread(
                    target=self._write_all, args=(self._over,), name="cesello spans", daemon=True
                )
                try:
                    self._thread.start()
                except RuntimeError as cause:  # no more threads, or Python is about to end
                    self._thread = None
                    self._drop(self._emptied(), str(cause))

    def _write_all(self, over: threading.Event) -> None:
        while True:
            self._something.wait()
            if not over.is_set():
                self._enough.wait(LINGER)
            self._enough.clear()
            self._something.clear()
            while items := self._next():
                self._write(items)
            if over.is_set():
                break
        self._store.close()

    def _next(self) -> list[Item]:
        items: list[Item] = []
        with suppress(IndexError):  # there are no more
            while len(items) < TOGETHER:
                items.append(self._queue.popleft())
        return items

    def _write(self, items: Sequence[Item]) -> None:
        try:
            self._store.write(items)
        except Exception as cause:
            reason = str(cause) if isinstance(cause, CeselloError) else f"{type(cause).__name__}: {cause}"
            self._drop(sum(isinstance(one, Span) for one in items), reason)

    def _emptied(self) -> int:
        """How many spans are left, which nobody writes any more."""
        left = 0
        with suppress(IndexError):  # there are no more
            while True:
                left += isinstance(self._queue.popleft(), Span)
        return left

    def _drop(self, spans: int, reason: str = "") -> None:
        with self._lock:
            self._dropped += spans
        if reason and not self._told:
            self._told = True
            self._tell(f"some of what is traced is not kept: {reason}")

    def _tell(self, text: str) -> None:
        with suppress(Exception):
            self._note(text)


_sinks: WeakSet[QueuedSink] = WeakSet()


def _leave_behind() -> None:
    for sink in _sinks:
        sink.left_behind()


os.register_at_fork(after_in_child=_leave_behind)
