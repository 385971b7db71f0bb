"""Where code is cut, embedded, kept, found and judged.

What a store refuses, as ``StoreError``:

    S001  a vector of another dimension than those in the store
    S002  a vector with NaN or infinite parts
    S003  a recall below 1
    S004  a store whose files cannot be read or written
    S005  a store whose files name a function that would be loaded and run
    S006  a store that does not compare by cosine
    S007  a store's server that gives no answer
    S008  a store's server that refuses, or lacks what is needed

Beside these ``RetryableError`` T098, a store that is busy: it is whole, and another try may succeed. After
S004 the store can be cleared and filled again; after the others a person decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from ..document import Chunk, SourceFile
from ..retrieval import Embedding, Hit, VectorEntry


class Chunker(Protocol):
    """Cuts files into chunks."""

    @property
    def fingerprint(self) -> str:
        """All that the chunks of a file depend on but the file, on one line; it is known without a file."""
        ...

    def chunk(self, source: SourceFile) -> tuple[Chunk, ...]:
        """Chunks whose byte spans, in order, cover the file exactly; none for an empty file.

        Every content has chunks: text of any language and encoding, wrong syntax, binary data. The same
        file gives the same chunks.
        """
        ...


class Surroundings(Protocol):
    """What a reader of a chunk has to know of its file besides."""

    def around(self, source: SourceFile, chunk: Chunk, wanted: Collection[str]) -> tuple[Chunk, ...]:
        """Whole lines of the file, outside the chunk, with their own spans; none where none are known.

        Args:
            source: the chunk's file.
            wanted: of ``SURROUNDINGS``; each is the kind of what is given back for it. ``class``: the
                innermost class that the chunk begins in, from what stands right above it to its docstring.
                ``imports``: all that the file imports, near its top.
        """
        ...


class Embedder(Protocol):
    """Turns texts into vectors of length 1. Nothing is loaded or asked before the first use."""

    @property
    def fingerprint(self) -> str:
        """All that its vectors depend on, on one line; vectors of different fingerprints cannot be compared.

        Raises:
            CeselloError: those of ``embed``.
        """
        ...

    @property
    def dimension(self) -> int:
        """How many numbers a vector has.

        Raises:
            CeselloError: those of ``embed``.
        """
        ...

    @property
    def overlong(self) -> int:
        """How many of the texts given so far were longer than the model reads at once."""
        ...

    def embed(self, texts: Sequence[str]) -> tuple[Embedding, ...]:
        """One vector a text that is to be found, in the texts' order.

        Raises:
            ModelError: M001 not found, M002 unreadable, M058 not for this engine, M090 refused by a server.
            UsageError: C089 no key for a server.
            RetryableError: T090 a server that gives no answer.
        """
        ...

    def embed_query(self, query: str) -> Embedding:
        """The vector of a question. Many models want it marked otherwise than what it is to find.

        Raises:
            CeselloError: those of ``embed``.
        """
        ...


class Reranker(Protocol):
    """Reads a question and a text together: slower than comparing vectors, and a better judge."""

    @property
    def fingerprint(self) -> str:
        """What its scores depend on, on one line: the files of its model, by content, and how they are read.

        Raises:
            CeselloError: those of ``score``.
        """
        ...

    def score(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        """For each text, in the texts' order, the probability in [0, 1] that it answers the query.

        Raises:
            ModelError: M001 not found, M002 unreadable, M030 not made to rerank, M058 not for this engine.
        """
        ...


class VectorStore(Protocol):
    """An index of vectors by cosine. It holds no truth: it can be cleared and filled again.

    The first vector sets the dimension, until ``clear``. One process writes at a time. Nothing is opened
    before the first use. Besides what is named there, every method may raise S004 to S008 and T098.
    """

    def upsert(self, entries: Sequence[VectorEntry]) -> None:
        """Adds entries; one with a known id takes the old one's place, the last of several with one id wins.

        Nothing is stored when an entry is refused.

        Raises:
            StoreError: S001, S002.
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
            StoreError: S001, S002, S003.
        """
        ...

    def __len__(self) -> int:
        """How many entries there are."""
        ...

    def ids(self) -> Iterator[str]:
        """The ids of all entries, each once, in any order, read in parts.

        Nothing is stored or deleted while it runs.
        """
        ...

    def set_stamp(self, stamp: str) -> None:
        """Writes a line on a store that has entries, in place of the last one.

        By it is known what the store was made equal to: the truth beside it has the same line.
        """
        ...

    def stamp(self) -> str:
        """What was written on it last; empty where nothing was, or all was forgotten since.

        What another process writes is seen after ``close`` at the latest.
        """
        ...

    def clear(self) -> None:
        """Forgets everything, dimension and stamp too. A store that cannot be read any more begins again."""
        ...

    def close(self) -> None:
        """Lets go of files and connections, when they are not needed any more; a second time is no error."""
        ...
