"""A small memory, and what asks it for a training."""

from __future__ import annotations

from cesello.application.ask import Ask, AskRequest
from cesello.application.keep_index import KeepIndex
from cesello.application.retrieve_context import RetrieveContext
from cesello.domain.ports.memory import Reranker
from tests.fakes.chunk_store import FakeChunkStore
from tests.fakes.memory import FakeEmbedder, FakeVectorStore
from tests.fakes.run import RecordingObserver
from tests.remembered import keep, remembered

CAKE = "how to bake a cake with cherries\n"


def cake_memory(*more: str) -> FakeChunkStore:
    """Knows how to bake a cake."""
    made = FakeChunkStore()
    made.set_makers(FakeEmbedder().fingerprint, "lines")
    keep(made, remembered("docs/cake.md", CAKE, *more))
    return made


def retrieves(
    store: FakeChunkStore, *, kept: int = 2, tokens: int = 100, reranker: Reranker | None = None
) -> RetrieveContext:
    """Asks it; what is less like a question than a cosine of 0.4 is nothing."""
    embedder = FakeEmbedder()
    index = KeepIndex(store, FakeVectorStore, "index", 1_000, RecordingObserver())
    ask = Ask(embedder, reranker, store, index)
    question = AskRequest("", keep=kept, relevant=0.4)
    return RetrieveContext(ask, store, embedder, question, tokens, reranker, "memory")
