from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import pytest

from cesello.application.keep_index import KeepIndex
from cesello.domain.errors import RetryableError, StoreError
from cesello.domain.remembered import IndexFinding, IndexMark, IndexState
from cesello.domain.retrieval import VectorEntry
from tests.fakes.chunk_store import FakeChunkStore
from tests.fakes.memory import FakeVectorStore
from tests.fakes.run import RecordingObserver
from tests.remembered import keep, key, remembered


class WatchedStore(FakeVectorStore):
    """Counts; and breaks when told."""

    def __init__(self) -> None:
        super().__init__()
        self.written = self.cleared = self.closed = 0
        self.broken: Exception | None = None

    def upsert(self, entries: Sequence[VectorEntry]) -> None:
        if self.broken:
            raise self.broken
        self.written += len(entries)
        super().upsert(entries)

    def clear(self) -> None:
        self.broken = None
        self.cleared += 1
        super().clear()

    def __len__(self) -> int:
        if self.broken:
            raise self.broken
        return super().__len__()

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def store() -> FakeChunkStore:
    made = FakeChunkStore()
    keep(made, *(remembered(f"{n}.py", f"the text of {n}\n") for n in range(10)))
    return made


@pytest.fixture
def index() -> WatchedStore:
    return WatchedStore()


def made(store: FakeChunkStore, index: WatchedStore, below: int = 0, name: str = "index") -> KeepIndex:
    return KeepIndex(store, lambda: index, name, below, RecordingObserver())


def test_it_is_filled_once_and_then_follows(store: FakeChunkStore, index: WatchedStore) -> None:
    keep_index = made(store, index)
    assert not keep_index.is_ready()
    keep_index()
    assert keep_index.is_ready()
    assert (index.cleared, index.written) == (1, 10)
    keep(store, remembered("3.py", "another text\n"))
    assert not keep_index.is_ready()
    keep_index()
    assert (index.cleared, index.written) == (1, 11)
    assert sorted(index.ids()) == sorted(known for known, _ in store.vectors())
    store.forget(["3.py", "4.py"])
    keep_index()
    assert (index.cleared, index.written, len(index)) == (1, 11, 8)


def test_a_text_that_left_one_file_and_is_in_another_stays(
    store: FakeChunkStore, index: WatchedStore
) -> None:
    keep_index = made(store, index)
    keep_index()
    keep(store, remembered("copy.py", "the text of 3\n"))
    store.forget(["3.py"])
    keep_index()
    assert key("the text of 3\n") in set(index.ids())
    assert keep_index.is_ready()


def test_an_index_that_was_being_written_is_made_anew(store: FakeChunkStore, index: WatchedStore) -> None:
    made(store, index)()
    store.mark_index("index", IndexMark(store.state().revision, dirty=True))
    assert not made(store, index).is_ready()
    made(store, index)()
    assert (index.cleared, index.written) == (2, 20)


def test_a_kill_between_the_marks_leaves_it_dirty(store: FakeChunkStore, index: WatchedStore) -> None:
    index.broken = MemoryError()
    with pytest.raises(MemoryError):
        made(store, BrokenAtClear())()
    mark = store.index_mark("index")
    assert mark
    assert mark.dirty


class BrokenAtClear(WatchedStore):
    """As if the process ended there."""

    def clear(self) -> None:
        raise MemoryError


def test_an_index_that_holds_too_little_or_too_much_is_made_anew(
    store: FakeChunkStore, index: WatchedStore
) -> None:
    keep_index = made(store, index)
    keep_index()
    index.delete([key("the text of 3\n")])
    assert not keep_index.is_ready()
    keep_index()
    assert (index.cleared, len(index)) == (2, 10)
    FakeVectorStore.upsert(index, [VectorEntry("foreign", [1.0] * 64)])
    assert not keep_index.is_ready()
    keep_index()
    assert (index.cleared, len(index)) == (3, 10)


def test_an_index_of_another_truth_is_made_anew_though_it_has_as_many(store: FakeChunkStore) -> None:
    other = FakeChunkStore()
    keep(other, *(remembered(f"{n}.py", f"another text of {n}\n") for n in range(10)))
    index, foreign = WatchedStore(), WatchedStore()
    made(store, index)()
    made(other, foreign)()
    assert other.state().revision == store.state().revision

    observer = RecordingObserver()
    keep_index = KeepIndex(store, lambda: foreign, "index", 0, observer)
    assert not keep_index.is_ready()
    keep_index()
    assert keep_index.is_ready()
    assert sorted(foreign.ids()) == sorted(known for known, _ in store.vectors())
    assert observer.notes == ["the index is made anew: it is not the one that this memory has written"]


def test_a_truth_put_back_from_a_copy_does_not_take_the_index_of_a_later_one(
    store: FakeChunkStore, index: WatchedStore
) -> None:
    made(store, index)()
    copy = deepcopy(store)
    keep(store, remembered("3.py", "what was lost with the disk\n"))
    made(store, index)()
    keep(copy, remembered("3.py", "what was written instead\n"))
    assert copy.state().revision == store.state().revision
    assert not made(copy, index).is_ready()
    made(copy, index)()
    assert index.cleared == 2
    assert sorted(index.ids()) == sorted(known for known, _ in copy.vectors())
    assert not made(store, index).is_ready(), "the index is of the copy now"


def test_an_index_without_a_stamp_is_made_anew(store: FakeChunkStore, index: WatchedStore) -> None:
    made(store, index)()
    index.set_stamp("")
    store.marks["index"] = replace(store.marks["index"], stamp="")
    assert not made(store, index).is_ready()
    made(store, index)()
    assert index.cleared == 2


def test_an_index_that_cannot_be_read_is_made_anew_and_that_is_told(
    store: FakeChunkStore, index: WatchedStore
) -> None:
    made(store, index)()
    keep(store, remembered("3.py", "another text\n"))
    index.broken = StoreError("S004", "a store cannot be used", fix="delete it")
    observer = RecordingObserver()
    keep_index = KeepIndex(store, lambda: index, "index", 0, observer)
    assert not keep_index.is_ready()
    keep_index()
    assert keep_index.is_ready()
    assert observer.notes == ["the index is made anew: a store cannot be used"]
    assert observer.done == [10]


def test_a_busy_index_is_not_asked(store: FakeChunkStore, index: WatchedStore) -> None:
    keep_index = made(store, index)
    keep_index()
    index.broken = RetryableError("T098", "a store is busy", fix="wait")
    assert not keep_index.is_ready()


def test_a_small_memory_has_no_index(store: FakeChunkStore, index: WatchedStore) -> None:
    keep_index = made(store, index, below=11)
    keep_index()
    assert not keep_index.is_wanted()
    assert not keep_index.is_ready()
    assert len(index) == 0
    keep(store, remembered("more.py", "one text more\n"))
    assert keep_index.is_wanted()
    keep_index()
    assert keep_index.is_ready()
    store.forget(["more.py"])
    assert not keep_index.is_wanted()
    assert not keep_index.is_ready(), "it has what the truth has not"


def test_an_empty_memory_has_no_index_either(index: WatchedStore) -> None:
    assert not made(FakeChunkStore(), index).is_wanted()


def test_what_another_process_wrote_is_opened_anew(store: FakeChunkStore, index: WatchedStore) -> None:
    made(store, index)()
    other = made(store, index)
    before = index.closed
    assert other.is_ready()
    assert index.closed == before + 1
    assert other.is_ready()
    assert index.closed == before + 1


def test_indexes_of_other_names_do_not_know_of_each_other(store: FakeChunkStore, index: WatchedStore) -> None:
    made(store, index)()
    assert not made(store, index, name="other").is_ready()


def test_what_other_indexes_have_left_is_taken_away_or_named(store: FakeChunkStore) -> None:
    for name in ("chroma", "pgvector:a:b", "pgvector:c:d", "numpy:a:b"):
        made(store, WatchedStore(), name=name)()
    observer = RecordingObserver()
    own = KeepIndex(store, WatchedStore, "numpy:a:b", 0, observer, lambda: ["chroma"])
    assert own.discard_others() == ("pgvector",)
    assert store.indexes() == ["numpy:a:b", "pgvector:a:b", "pgvector:c:d"]
    assert made(store, WatchedStore(), name="pgvector:a:b").discard_others() == ("numpy", "pgvector")


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (
            StoreError("S007", "a store's server gives no answer", where="http://x", fix="start it"),
            "start it",
        ),
        (RetryableError("T098", "a store is busy", fix="wait"), "busy"),
    ],
)
def test_what_is_wrong_with_an_index_is_told_apart(
    store: FakeChunkStore, index: WatchedStore, problem: StoreError, said: str
) -> None:
    keep_index = made(store, index)
    assert made(store, index, below=11).finding() == IndexFinding(IndexState.NONE)
    assert keep_index.finding() == IndexFinding(IndexState.UNBUILT)
    keep_index()
    assert keep_index.finding() == IndexFinding(IndexState.READY)
    index.broken = problem
    silent = keep_index.finding()
    assert silent.state == IndexState.SILENT
    assert said in silent.trouble
    index.broken = None
    keep(store, remembered("3.py", "another text\n"))
    assert keep_index.finding() == IndexFinding(IndexState.BEHIND)


def test_anew_means_anew(store: FakeChunkStore, index: WatchedStore) -> None:
    made(store, index)()
    made(store, index)(anew=True)
    assert (index.cleared, index.written) == (2, 20)


def test_when_the_log_of_changes_is_too_short_it_is_made_anew(
    store: FakeChunkStore, index: WatchedStore
) -> None:
    made(store, index)()
    store.log_from = store.revision + 1
    keep(store, remembered("new.py", "new\n"))
    made(store, index)()
    assert index.cleared == 2


def test_a_memory_that_shrinks_leaves_nothing_in_its_index(
    store: FakeChunkStore, index: WatchedStore
) -> None:
    keep_index = made(store, index)
    keep_index()
    assert len(index) == 10
    store.forget(list(store.files()))
    keep_index()
    assert len(index) == 0
    assert store.marks == {}
