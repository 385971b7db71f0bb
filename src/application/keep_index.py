"""Keep an index equal to the truth it is made from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from secrets import token_hex

from ..domain.errors import RetryableError, StoreError
from ..domain.ports.chunk_store import ChunkStore
from ..domain.ports.memory import VectorStore
from ..domain.ports.run import Observer
from ..domain.remembered import IndexFinding, IndexMark, IndexState
from ..domain.retrieval import Embedding, VectorEntry

_BATCH = 10_000


class KeepIndex:
    """Fills an index, and says whether it can be asked.

    Args:
        make: makes the index, when it is first needed: a memory without one need not load its library.
        name: what tells this index from others of the same memory: its kind, and after a colon its place.
        exact_below: a memory with fewer texts has no index; 0: every memory has one.
        discard: takes away what indexes of other kinds have left in the memory's folder; the kinds that
            nothing is left of.
    """

    def __init__(
        self,
        chunks: ChunkStore,
        make: Callable[[], VectorStore],
        name: str,
        exact_below: int,
        observer: Observer,
        discard: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._chunks = chunks
        self._make = make
        self._name = name
        self._exact_below = exact_below
        self._observer = observer
        self._discard = discard
        self._seen = ""  # stamp of the index when this process opened it

    @cached_property
    def index(self) -> VectorStore:
        """The index, whatever its state."""
        return self._make()

    def __call__(self, *, anew: bool = False) -> None:
        """Brings the index up to date, or makes it ``anew``; the caller has the right to write.

        An index that a killed process was writing is made anew, and so is one that cannot be read, does not
        hold as much as it should, or was made equal to something else since.

        Raises:
            StoreError: when it cannot be made at all.
        """
        if not self.is_wanted():
            if self._chunks.index_mark(self._name) is not None:
                self.index.clear()  # vectors of what was forgotten stay nowhere
                self.index.close()
                self._chunks.drop_index(self._name)
            return
        state, mark = self._chunks.state(), self._chunks.index_mark(self._name)
        changed = None
        if mark and not mark.dirty and not anew:
            changed = self._chunks.changed_since(mark.revision)
        before = mark or IndexMark(0, dirty=True)
        self._chunks.mark_index(self._name, replace(before, dirty=True))
        if changed is None or not self._caught_up(before.stamp, changed, state.texts):
            self._filled(state.texts)
        stamp = token_hex(16)
        self.index.set_stamp(stamp)
        # While nobody else may write: what a store keeps in memory is on the disk only then.
        self.index.close()
        self._chunks.mark_index(self._name, IndexMark(state.revision, dirty=False, stamp=stamp))
        self._seen = stamp

    def discard_others(self) -> tuple[str, ...]:
        """Takes away other indexes of this memory, which a setting named once and nobody brings up to date.

        Returns:
            The kinds of those elsewhere, which may have vectors of what was forgotten.
        """
        gone, elsewhere = self._discard(), set()
        for name in self._chunks.indexes():
            kind = name.partition(":")[0]
            if name != self._name and kind in gone:
                self._chunks.drop_index(name)
            elif name != self._name:
                elsewhere.add(kind)
        return tuple(sorted(elsewhere))

    def is_wanted(self) -> bool:
        """Whether the memory is large enough for an index."""
        return self._chunks.state().texts >= max(self._exact_below, 1)

    def is_ready(self) -> bool:
        """Whether the index can be asked."""
        return self.finding().state == IndexState.READY

    def finding(self) -> IndexFinding:
        """Whether there is an index, it is whole, of this truth, and as new; or what is wrong."""
        if not self.is_wanted():
            return IndexFinding(IndexState.NONE)
        state, mark = self._chunks.state(), self._chunks.index_mark(self._name)
        if mark is None:
            return IndexFinding(IndexState.UNBUILT)
        if mark.dirty or mark.revision != state.revision:
            return IndexFinding(IndexState.BEHIND)
        try:
            is_ready = self._is_stamped(mark.stamp) and len(self.index) == state.texts
        except (StoreError, RetryableError) as problem:
            return IndexFinding(IndexState.SILENT, str(problem))
        return IndexFinding(IndexState.READY if is_ready else IndexState.BEHIND)

    def _is_stamped(self, stamp: str) -> bool:
        """Whether nobody has written the index since the truth knew of it; one of old has no stamp."""
        if stamp and self._seen != stamp:
            # Chroma counts what another process has written, and does not find it.
            self.index.close()
            self._seen = stamp
        return bool(stamp) and self.index.stamp() == stamp

    def _caught_up(self, stamp: str, changed: Sequence[str], texts: int) -> bool:
        """Whether taking over what has changed was enough."""
        try:
            if not self._is_stamped(stamp):
                self._observer.note("the index is made anew: it is not the one that this memory has written")
                return False
            there = set()
            for batch in _batches(self._chunks.vectors(changed)):
                self.index.upsert([VectorEntry(key, vector) for key, vector in batch])
                there |= {key for key, _ in batch}
            self.index.delete([key for key in changed if key not in there])
            return len(self.index) == texts
        except StoreError as problem:
            self._observer.note(f"the index is made anew: {problem.what}")
            return False

    def _filled(self, texts: int) -> None:
        self._observer.phase("building the index", texts)
        self.index.clear()
        for batch in _batches(self._chunks.vectors()):
            self.index.upsert([VectorEntry(key, vector) for key, vector in batch])
            self._observer.advance(len(batch))


def _batches(pairs: Iterator[tuple[str, Embedding]]) -> Iterator[list[tuple[str, Embedding]]]:
    while batch := list(islice(pairs, _BATCH)):
        yield batch
