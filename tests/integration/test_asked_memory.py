"""A memory on the disk that is asked, whatever others do with it meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cesello.adapters.memory.sqlite_chunk_store import SqliteChunkStore
from cesello.application.ask import Ask, AskRequest
from cesello.application.keep_index import KeepIndex
from cesello.application.rebuild_memory import RebuildMemory
from cesello.application.remember import RememberRequest
from cesello.domain.errors import StoreError
from cesello.domain.ports.chunk_store import ChunkStore
from cesello.domain.retrieval import Embedding
from tests.fakes.chunk_store import FakeTree
from tests.fakes.memory import FakeEmbedder, FakeVectorStore
from tests.fakes.run import FakeStop, RecordingObserver
from tests.remembered import remember_with

QUESTION = AskRequest("word7 and thing7", words=0.0)


class Mirrored(FakeEmbedder):
    """Another embedder of the same dimension."""

    @property
    def fingerprint(self) -> str:
        return f"{super().fingerprint} mirrored"

    def _vector(self, text: str) -> Embedding:
        return super()._vector(text)[::-1]


class Interrupted(FakeEmbedder):
    """While it embeds a question, something else happens."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    def embed_query(self, query: str) -> Embedding:
        self._meanwhile()
        return super().embed_query(query)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a memory of forty files."""
    tree, chunks = FakeTree(), SqliteChunkStore(tmp_path / "memory")
    for number in range(40):
        tree.write(f"{number}.py", f"word{number} and thing{number}\n")
    remember_with(tree, chunks, FakeVectorStore(), exact_below=1_000)(RememberRequest((".",)))
    chunks.close()
    return tmp_path / "memory"


def index_of(chunks: ChunkStore) -> KeepIndex:
    return KeepIndex(chunks, FakeVectorStore, "index", 1_000, RecordingObserver())


def asking(chunks: ChunkStore, embedder: FakeEmbedder | None = None) -> Ask:
    return Ask(embedder or FakeEmbedder(), None, chunks, index_of(chunks))


@pytest.mark.parametrize("option", ["recall", "keep", "around"])
@pytest.mark.parametrize("number", [2**63, 10**20])
def test_no_number_is_too_large(folder: Path, option: str, number: int) -> None:
    request = replace(QUESTION, **{option: number})  # type: ignore[arg-type]
    assert asking(SqliteChunkStore(folder))(request).passages


def test_vectors_of_one_embedder_are_never_compared_with_a_question_by_another(folder: Path) -> None:
    def rebuild() -> None:
        other = SqliteChunkStore(folder)
        RebuildMemory(Mirrored(), other, index_of(other), RecordingObserver(), FakeStop())()
        other.close()

    with pytest.raises(StoreError) as refused:
        asking(SqliteChunkStore(folder), Interrupted(rebuild))(QUESTION)
    assert refused.value.code == "S010"
    assert asking(SqliteChunkStore(folder), Mirrored())(QUESTION).passages


def test_a_memory_that_is_taken_away_answers_no_more(folder: Path) -> None:
    chunks = SqliteChunkStore(folder)
    assert asking(chunks)(QUESTION).passages
    assert asking(chunks, Interrupted(lambda: shutil.rmtree(folder)))(QUESTION).asked == 0
    assert asking(chunks)(QUESTION).asked == 0
