from __future__ import annotations

from collections.abc import Sequence

import pytest

from cesello.application.ask import Ask, AskRequest
from cesello.application.keep_index import KeepIndex
from cesello.application.rebuild_memory import RebuildMemory
from cesello.domain.errors import Interrupted, RetryableError, StoreError
from cesello.domain.retrieval import Embedding
from tests.fakes.chunk_store import FakeChunkStore
from tests.fakes.memory import FakeEmbedder, FakeVectorStore
from tests.fakes.run import FakeStop, RecordingObserver
from tests.remembered import keep, remembered

OLD, NEW = FakeEmbedder(64), FakeEmbedder(1024)
TEXTS = [f"the text of number{n}\n" for n in range(150)]


class Rebuilding:
    """A memory and its index, which the old embedder has made."""

    def __init__(self) -> None:
        self.store, self.index = FakeChunkStore(), FakeVectorStore()
        self.store.set_makers(OLD.fingerprint, "lines")
        keep(self.store, remembered("a.py", *TEXTS), remembered("copy.py", *TEXTS[:10]))
        self.observer = RecordingObserver()
        self.keep_index = KeepIndex(self.store, lambda: self.index, "index", 0, self.observer)
        self.keep_index()

    def rebuild(self, embedder: FakeEmbedder, *, embed: bool = False, stop: FakeStop | None = None) -> int:
        stop = stop or FakeStop()
        return RebuildMemory(embedder, self.store, self.keep_index, self.observer, stop)(embed=embed)

    def first(self, embedder: FakeEmbedder, question: str) -> str:
        ask = Ask(embedder, None, self.store, self.keep_index)
        return ask(AskRequest(question, words=0.0)).passages[0].chunk.text


@pytest.fixture
def memory() -> Rebuilding:
    return Rebuilding()


def test_the_same_embedder_makes_the_index_alone(memory: Rebuilding) -> None:
    memory.index.clear()
    assert memory.rebuild(FakeEmbedder(64)) == 0
    assert len(memory.index) == 150
    assert memory.keep_index.is_ready()


def test_another_embedder_embeds_every_text_once(memory: Rebuilding) -> None:
    embedder = FakeEmbedder(1024)
    assert memory.rebuild(embedder) == 150
    assert sorted(embedder.embedded) == sorted(TEXTS)
    assert memory.store.state().fingerprint == "words dimension=1024"
    assert memory.first(NEW, "number7 text") == TEXTS[7]
    assert memory.keep_index.is_ready()
    with pytest.raises(StoreError):
        memory.first(OLD, "number7 text")


def test_all_is_embedded_again_when_asked(memory: Rebuilding) -> None:
    assert memory.rebuild(FakeEmbedder(64), embed=True) == 150


class Looking(FakeEmbedder):
    """Asks the memory with the old embedder while the new vectors are made."""

    def __init__(self, memory: Rebuilding) -> None:
        super().__init__(1024)
        self._memory = memory
        self.seen: list[str] = []

    def embed(self, texts: Sequence[str]) -> tuple[Embedding, ...]:
        if len(self.embedded) % 50 == 0:
            self.seen.append(self._memory.first(OLD, "number7 text"))
        return super().embed(texts)


def test_until_all_is_there_the_old_vectors_answer(memory: Rebuilding) -> None:
    looking = Looking(memory)
    memory.rebuild(looking)
    assert looking.seen
    assert set(looking.seen) == {TEXTS[7]}


@pytest.mark.parametrize("at_check", [1, 2, 77, 150])
def test_a_stop_leaves_the_old_and_keeps_what_was_made(memory: Rebuilding, at_check: int) -> None:
    with pytest.raises(Interrupted):
        memory.rebuild(FakeEmbedder(1024), stop=FakeStop(at_check=at_check))
    assert memory.first(OLD, "number7 text") == TEXTS[7]
    assert memory.store.state().rebuilding == at_check - 1
    keep(memory.store, remembered("late.py", "a text that came late\n"))
    assert memory.rebuild(FakeEmbedder(1024)) == 151 - (at_check - 1)
    assert memory.first(NEW, "text that came late") == "a text that came late\n"
    assert memory.store.state().rebuilding == 0
    assert memory.observer.done[-2] == memory.observer.phases[-2][1] == 151


def test_what_was_begun_is_given_up_where_the_old_embedder_is_set_again(memory: Rebuilding) -> None:
    with pytest.raises(Interrupted):
        memory.rebuild(FakeEmbedder(1024), stop=FakeStop(at_check=77))
    assert memory.rebuild(FakeEmbedder(64)) == 0
    assert memory.store.state().rebuilding == 0
    assert memory.observer.notes == ["76 vectors that another embedder began with are dropped"]
    assert memory.first(OLD, "number7 text") == TEXTS[7]


def test_what_the_same_embedder_has_begun_goes_on(memory: Rebuilding) -> None:
    with pytest.raises(Interrupted):
        memory.rebuild(FakeEmbedder(64), embed=True, stop=FakeStop(at_check=77))
    assert memory.rebuild(FakeEmbedder(64)) == 150 - 76
    assert memory.store.state().rebuilding == 0
    assert memory.observer.notes == []


def test_a_third_embedder_counts_from_nothing(memory: Rebuilding) -> None:
    with pytest.raises(Interrupted):
        memory.rebuild(FakeEmbedder(1024), stop=FakeStop(at_check=77))
    assert memory.rebuild(FakeEmbedder(512)) == 150
    assert memory.observer.notes == ["76 vectors that another embedder began with are dropped"]
    assert memory.observer.done[-2] == memory.observer.phases[-2][1] == 150


def test_an_empty_memory_takes_over_the_new_embedder() -> None:
    store = FakeChunkStore()
    store.set_makers(OLD.fingerprint, "lines")
    keep_index = KeepIndex(store, FakeVectorStore, "index", 0, RecordingObserver())
    assert RebuildMemory(FakeEmbedder(1024), store, keep_index, RecordingObserver(), FakeStop())() == 0
    assert store.state().fingerprint == "words dimension=1024"


def test_another_writer_is_told_of(memory: Rebuilding) -> None:
    memory.store.busy = True
    with pytest.raises(RetryableError):
        memory.rebuild(NEW)


@pytest.mark.parametrize("left", [None, 0.0, 2.0])
def test_texts_that_lost_their_vectors_are_embedded_again(memory: Rebuilding, left: float | None) -> None:
    whole = dict(memory.store.kept)
    for key in sorted(whole)[:7]:
        del memory.store.kept[key]
        if left is not None:
            memory.store.kept[key] = [left] * 64
    embedder = FakeEmbedder(64)
    assert memory.rebuild(embedder) == 7
    assert len(embedder.embedded) == 7
    assert memory.store.kept == whole
