from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from cesello.application.keep_index import KeepIndex
from cesello.application.memory_status import MemoryStatus
from cesello.domain.remembered import FileMark, IndexFinding, IndexState, MemoryState
from tests.fakes.chunk_store import FakeChunkStore
from tests.fakes.memory import FakeVectorStore
from tests.fakes.run import RecordingObserver
from tests.remembered import keep, remembered


class WatchedChunks(FakeChunkStore):
    """Knows what is read outside of ``reading``."""

    inside, outside = False, 0

    @contextmanager
    def reading(self) -> Iterator[None]:
        self.inside = True
        yield
        self.inside = False

    def index_mark(self, index: str) -> None:
        self.outside += not self.inside

    def state(self) -> MemoryState:
        self.outside += not self.inside
        return super().state()

    def files(self) -> Mapping[str, FileMark]:
        self.outside += not self.inside
        return super().files()


def status_of(chunks: FakeChunkStore, below: int = 0) -> MemoryStatus:
    index = FakeVectorStore()
    return MemoryStatus(chunks, KeepIndex(chunks, lambda: index, "index", below, RecordingObserver()))


def test_all_is_told_of_one_moment() -> None:
    chunks = WatchedChunks()
    keep(chunks, remembered("b.py", "and b\n"), remembered("a.py", "the text of a\n"))
    chunks.outside = 0
    standing = status_of(chunks)()
    assert chunks.outside == 0
    assert (standing.state, standing.files) == (chunks.state(), ("a.py", "b.py"))
    assert standing.index == IndexFinding(IndexState.UNBUILT)


def test_nothing_is_an_answer_too() -> None:
    standing = status_of(FakeChunkStore(), below=100)()
    assert (standing.state.files, standing.files, standing.index.state) == (0, (), IndexState.NONE)
