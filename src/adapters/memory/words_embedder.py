"""Code read as words, by embedders that were trained on prose."""

from __future__ import annotations

from collections.abc import Sequence

from ...domain.chunk_text import code_words
from ...domain.fusion import looks_like_code
from ...domain.ports.memory import Embedder
from ...domain.retrieval import Embedding


class WordsEmbedder:
    """Implements ``Embedder``. What is to be found is read as words, and of questions those that are code.

    Args:
        embedder: reads the words.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    @property
    def fingerprint(self) -> str:
        """See the port."""
        return f"{self._embedder.fingerprint} reads=words"

    @property
    def dimension(self) -> int:
        """See the port."""
        return self._embedder.dimension

    @property
    def overlong(self) -> int:
        """See the port."""
        return self._embedder.overlong

    def embed(self, texts: Sequence[str]) -> tuple[Embedding, ...]:
        """See the port."""
        return self._embedder.embed([code_words(text) for text in texts])

    def embed_query(self, query: str) -> Embedding:
        """See the port."""
        return self._embedder.embed_query(code_words(query) if looks_like_code(query) else query)
