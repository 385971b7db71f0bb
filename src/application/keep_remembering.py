"""Remember what changes, for as long as somebody listens."""

from __future__ import annotations

from collections.abc import Iterator

from ..domain.errors import RetryableError
from ..domain.ports.chunk_store import ChunkStore, SourceTree
from ..domain.ports.run import Observer, Stop
from .remember import Remember, Remembering, RememberRequest


class KeepRemembering:
    """Brings the memory up to date whenever files have changed."""

    def __init__(
        self, remember: Remember, tree: SourceTree, chunks: ChunkStore, observer: Observer, stop: Stop
    ) -> None:
        self._remember = remember
        self._tree = tree
        self._chunks = chunks
        self._observer = observer
        self._stop = stop

    def __call__(self) -> Iterator[Remembering]:
        """What became of each change that was something new; ends when a stop is requested.

        Other commands can write between two changes: the right to write is taken for each.
        """
        roots = self._chunks.state().roots
        for _ in self._tree.changes(roots, lambda: self._stop.requested is not None):
            try:
                done = self._remember(RememberRequest())
            except RetryableError as busy:
                self._observer.note(f"{busy.what}: trying again with the next change")
                continue
            if done.changed or done.forgotten:
                yield done
