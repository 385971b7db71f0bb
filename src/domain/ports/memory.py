"""Where code is cut, embedded, kept, found and judged.

What a store refuses, as ``StoreError``:

    S001  a vector of another dimension than those in the store
    S002  a vector with NaN or infinite parts
    S003  a recall below 1
    S004  a store whose files cannot be read or written
    S005  a store whose files name a function that would be loaded and run
    S006  a store that does not compare by cosine
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ..document import Chunk, SourceFile
from ..retrieval import Embedding, Hit, VectorEntry


class Chunker(Protocol):
    """Cuts files into chunks."""

    def chunk(self, source: SourceFile) -> tuple[Chunk, ...]:
        """Chunks whose byte spans, in order, cover the file exactly; none for an empty file.

        Every content has chunks: text of any language and encoding, wrong syntax, binary data. The same
        file gives the same chunks.
        """
        ...


class Embedder(Protocol):
    """Turns texts into vectors of length 1."""

    @property
    def fingerprint(self) -> str:
        """All that its vectors depend on; vectors of different fingerprints cannot be compared."""
        ...

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""
        ...

    def embed(self, texts: Sequence[str]) -> tuple[Embedding, ...]:
        """One vector a text, in the texts' order.

        Raises:
            ModelError: M001 not found, M002 unreadable.
        """
        ...


class Reranker(Protocol):
    """Reads a question and a text together: slower than comparing vectors, and a better judge."""

    def score(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        """For each text, in the texts' order, the probability in [0, 1] that it answers the query.

        Raises:
            ModelError: M001 not found, M002 unreadable, M030 not made to rerank.
        """
        ...


class VectorStore(Protocol):
    """An index of vectors by cosine. It holds no truth: it can be cleared and filled again.

    The first vector sets the dimension, until ``clear``.
    """

    def upsert(self, entries: Sequence[VectorEntry]) -> None:
        """Adds entries; one with a known id takes the old one's place, the last of several with one id wins.

        Nothing is stored when an entry is refused.

        Raises:
            StoreError: S001, S002, S004.
        """
        ...

    def delete(self, ids: Sequence[str]) -> None:
        """Forgets the entries of these ids; unknown ids are no error."""
        ...

    def nearest(
        self, vector: Embedding, recall: int = 20, where: Mapping[str, str] | None = None
    ) -> tuple[Hit, ...]:
        """The entries that point in the vector's direction, best first, equal ones in any order.

        Args:
            vector: shape (dimension,).
            recall: how many at most.
            where: metadata that an entry must have, all of it.

        Raises:
            StoreError: S001, S002, S003, S004.
        """
        ...

    def __len__(self) -> int:
        """How many entries there are."""
        ...

    def clear(self) -> None:
        """Forgets everything, the dimension too."""
        ...
