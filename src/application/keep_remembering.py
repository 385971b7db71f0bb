"""Remember what changes, for as long as somebody listens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from ..domain.errors import RetryableError
from ..domain.ports.chunk_store import ChunkStore, SourceTree
from ..domain.ports.run import Observer, Stop
from .remember import Remember, Remembering, RememberRequest

_PAUSE = 1.0
"""Seconds until what can be tried again is."""


class KeepRemembering:
    """Brings the memory up to date whenever files have changed.

    Args:
        wait: lets so many seconds pass.
    """

    def __init__(
        self,
        remember: Remember,
        tree: SourceTree,
        chunks: ChunkStore,
        observer: Observer,
        stop: Stop,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._remember = remember
        self._tree = tree
        self._chunks = chunks
        self._observer = observer
        self._stop = stop
        self._wait = wait

    def __call__(self) -> Iterator[Remembering]:
        """What became of each change that was something new; ends when a stop is requested.

        Other commands can write between two changes: the right to write is taken for each.
        """
        roots = self._chunks.state().roots
        for _ in self._tree.changes(roots, lambda: self._stop.requested is not None):
            done = self._brought_up_to_date()
            if done.changed or done.forgotten:
                yield done

    def _brought_up_to_date(self) -> Remembering:
        """Tries until it is done, or a stop is requested: the change that it is for comes only once."""
        noted = ""
        while self._stop.requested is None:
            try:
                return self._remember(RememberRequest())
            except RetryableError as busy:
                if busy.what != noted:
                    noted = busy.what
                    self._observer.note(f"{noted}: trying again")
            self._wait(_PAUSE)
        return Remembering()
