from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from cesello.application.keep_index import KeepIndex
from cesello.application.verify_memory import MemoryCheckup, VerifyMemory
from cesello.domain.errors import Interrupted, StoreError
from cesello.domain.remembered import IndexMark
from cesello.domain.retrieval import VectorEntry
from tests.fakes.chunk_store import FakeChunkStore
from tests.fakes.memory import FakeVectorStore
from tests.fakes.run import FakeStop, RecordingObserver
from tests.remembered import EMBEDDER, keep, key, remembered


@pytest.fixture
def store() -> FakeChunkStore:
    made = FakeChunkStore()
    keep(made, remembered("a.py", *(f"the text {n} of a\n" for n in range(5))), remembered("b.py", "and b\n"))
    return made


@pytest.fixture
def index(store: FakeChunkStore) -> FakeVectorStore:
    made = FakeVectorStore()
    KeepIndex(store, lambda: made, "index", 0, RecordingObserver())()
    return made


def verified(
    store: FakeChunkStore, index: FakeVectorStore, below: int = 0, stop: FakeStop | None = None
) -> MemoryCheckup:
    observer = RecordingObserver()
    keep_index = KeepIndex(store, lambda: index, "index", below, observer)
    found = VerifyMemory(store, keep_index, observer, stop or FakeStop())()
    assert all(done == total for (_, total), done in zip(observer.phases, observer.done, strict=True))
    return found


def test_what_is_whole_has_no_problems(store: FakeChunkStore, index: FakeVectorStore) -> None:
    assert verified(store, index) == MemoryCheckup(files=2, chunks=6, texts=6, indexed=6, problems=())
    assert verified(store, FakeVectorStore(), below=7).indexed == 0, "a small memory needs no index"
    assert verified(FakeChunkStore(), FakeVectorStore()) == MemoryCheckup(0, 0, 0, 0, ())


def lose_a_chunk(store: FakeChunkStore) -> None:
    file = store.remembered["a.py"]
    kept = [n for n in range(5) if n != 2]
    store.remembered["a.py"] = replace(
        file, chunks=[file.chunks[n] for n in kept], keys=[file.keys[n] for n in kept]
    )


def lose_the_last_chunk(store: FakeChunkStore) -> None:
    file = store.remembered["b.py"]
    store.remembered["b.py"] = replace(file, mark=replace(file.mark, size=7))


def change_a_text(store: FakeChunkStore) -> None:
    file = store.remembered["a.py"]
    chunks = [replace(file.chunks[0], text="the text 0 of b\n"), *file.chunks[1:]]
    store.remembered["a.py"] = replace(file, chunks=chunks)


def bend_a_vector(store: FakeChunkStore) -> None:
    store.kept[key("and b\n")] = [2.0] * 64


def blur_a_vector(store: FakeChunkStore) -> None:
    store.kept[key("and b\n")] = [float("nan")] * 64


def empty_a_vector(store: FakeChunkStore) -> None:
    store.kept[key("and b\n")] = [0.0] * 64


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lose_a_chunk, "a.py:4-4: begins at byte 48, but the chunk before ends at 32"),
        (lose_the_last_chunk, "b.py: its chunks end at byte 6 of 7"),
        (change_a_text, "a.py:1-1: its key is not that of its text"),
        (bend_a_vector, "the vector of b.py:1-1 is damaged: its length is 16"),
        (empty_a_vector, "the vector of b.py:1-1 is damaged: its length is 0"),
        (blur_a_vector, "the vector of b.py:1-1 is damaged: its length is nan"),
    ],
)
def test_damage_of_the_truth_is_found(
    store: FakeChunkStore, damage: Callable[[FakeChunkStore], None], said: str
) -> None:
    damage(store)
    assert verified(store, FakeVectorStore(), below=100).problems == (said,)


def test_a_text_without_words_may_have_a_vector_of_no_length(store: FakeChunkStore) -> None:
    keep(store, remembered("c.py", "}\n"))
    store.kept[key("}\n")] = [0.0] * 64
    assert verified(store, FakeVectorStore(), below=100).problems == ()


def test_what_the_store_says_is_told(store: FakeChunkStore) -> None:
    store.said = ("3 texts have no vector",)
    assert verified(store, FakeVectorStore(), below=100).problems == ("3 texts have no vector",)


def test_an_index_that_is_behind_is_told(store: FakeChunkStore, index: FakeVectorStore) -> None:
    store.mark_index("index", IndexMark(store.revision, dirty=True))
    found = verified(store, index)
    assert found.problems == ("the index is behind: the next `cesello remember` brings it up to date",)
    assert found.of_index == 1
    store.drop_index("index")
    bend_a_vector(store)
    found = verified(store, index)
    assert found.problems[1] == "the index was never made: the next `cesello remember` makes it"
    assert (len(found.problems), found.of_index) == (2, 1)


class Away(FakeVectorStore):
    """Its server gives no answer."""

    def stamp(self) -> str:
        raise StoreError("S007", "a store's server gives no answer", where="http://x", fix="start it")


def test_an_index_that_is_away_is_told_with_what_its_server_says(store: FakeChunkStore) -> None:
    index = Away()
    KeepIndex(store, lambda: index, "index", 0, RecordingObserver())()
    found = verified(store, index)
    (said,) = found.problems
    assert said.startswith("the index gives no answer: error[S007] a store's server gives no answer")
    assert "start it" in said
    assert found.of_index == 1


def test_an_index_that_has_another_text_is_found(store: FakeChunkStore, index: FakeVectorStore) -> None:
    index.delete([key("and b\n")])
    index.upsert([VectorEntry("foreign", [1.0] * 64)])
    assert verified(store, index).problems == (
        "the index lacks b.py:1-1",
        "the index has 1 texts that no file has",
    )


def test_a_text_that_is_not_found_by_its_own_vector_is_found(
    store: FakeChunkStore, index: FakeVectorStore
) -> None:
    index.upsert([VectorEntry(key("and b\n"), EMBEDDER.embed_query("something of another kind"))])
    said = "the index does not find b.py:1-1 by its own vector"
    assert verified(store, index).problems == (said,)


def test_of_many_problems_of_a_kind_twenty_are_named(store: FakeChunkStore) -> None:
    for n in range(30):
        keep(store, remembered(f"many/{n:02}.py", f"another text {n}\n"))
        file = store.remembered[f"many/{n:02}.py"]
        store.remembered[f"many/{n:02}.py"] = replace(file, mark=replace(file.mark, size=1))
    problems = verified(store, FakeVectorStore(), below=100).problems
    assert len(problems) == 21
    assert problems[-1] == "and 10 more of this kind"


def test_it_can_be_stopped(store: FakeChunkStore, index: FakeVectorStore) -> None:
    with pytest.raises(Interrupted):
        verified(store, index, stop=FakeStop(at_check=9))
