"""Where the truth of a memory is kept, and where its files come from.

What a chunk store refuses:

    S010  another embedder than the one that made the vectors
    S011  a memory of a newer form, or files that are none
    S012  damaged files
    T083  another process writes
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ..document import Chunk, SourceFile
from ..remembered import FileMark, IndexMark, MemoryState, RememberedFile, Selection, SkippedFile
from ..retrieval import Embedding, Hit


class ChunkStore(Protocol):
    """Files, their chunks, the vectors of their texts, and the words to find them by.

    What a writing method did outlasts a power cut when it returns; a process killed inside it leaves
    everything as it was. Readers are never in the way of the writer, nor it in theirs.
    """

    def writer(self) -> AbstractContextManager[None]:
        """The right to write, which one process has at a time.

        Raises:
            RetryableError: T083 when another has it for longer than a second.
            StoreError: S011, S012. StorageError: I001 when the folder cannot be written.
        """
        ...

    def reading(self) -> AbstractContextManager[None]:
        """Within this, all that is read is of one moment, whatever a writer does meanwhile."""
        ...

    def state(self) -> MemoryState:
        """Figures; those of an empty memory where there is none."""
        ...

    def files(self) -> Mapping[str, FileMark]:
        """Every file, by path."""
        ...

    def set_roots(self, roots: Sequence[str]) -> None:
        """What the memory is of, and what a person need not name again."""
        ...

    def set_makers(self, fingerprint: str, chunker: str) -> None:
        """Which embedder and chunker made what is there."""
        ...

    def without_vector(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys that have no vector."""
        ...

    def put(self, files: Sequence[RememberedFile], vectors: Mapping[str, Embedding]) -> None:
        """Keeps files in place of those of the same paths, and vectors by key, all or nothing."""
        ...

    def touch(self, marks: Iterable[FileMark]) -> None:
        """Takes over size and time of files whose content is as it was."""
        ...

    def forget(self, paths: Iterable[str]) -> int:
        """Forgets files; says how many there were."""
        ...

    def tidy(self, spare: float = 0.2) -> None:
        """Drops vectors that no chunk has, the oldest first, until they are at most this share of all.

        Of a renewal none stays. Where nothing is to spare no word of what was forgotten does either; else a
        few may, until more was forgotten. An index that is far behind is marked ``dirty``, to be made anew.
        """
        ...

    def nearest(self, vector: Embedding, recall: int, only: Selection) -> tuple[Hit, ...]:
        """The texts whose vectors point in the vector's direction, found by comparing with each, best first.

        Raises:
            StoreError: S001, S002, S003.
        """
        ...

    def matching(self, query: str, recall: int, only: Selection) -> tuple[Hit, ...]:
        """The texts that have any of the query's words, best first by BM25, whose scores are above 0."""
        ...

    def chunks(self, keys: Sequence[str], only: Selection) -> Mapping[str, tuple[Chunk, ...]]:
        """The chunks of each text, by path and line; keys without any are left out."""
        ...

    def neighbours(self, chunk: Chunk) -> tuple[Chunk, ...]:
        """All chunks of the chunk's file, in order."""
        ...

    def vectors(self, keys: Sequence[str] | None = None) -> Iterator[tuple[str, Embedding]]:
        """Every text's vector, or those of the keys that have a chunk, in batches as they are read."""
        ...

    def all_chunks(self) -> Iterator[tuple[str, Chunk]]:
        """Every chunk with its key, by path and position."""
        ...

    def index_mark(self, index: str) -> IndexMark | None:
        """What was said last of an index."""
        ...

    def mark_index(self, index: str, mark: IndexMark) -> None:
        """Says something of an index."""
        ...

    def indexes(self) -> Sequence[str]:
        """The names of all indexes that something was said of."""
        ...

    def drop_index(self, index: str) -> None:
        """There is no index of that name any more."""
        ...

    def rewrite_words(self) -> None:
        """Makes the words of all chunks again."""
        ...

    def changed_since(self, revision: int) -> Sequence[str] | None:
        """Keys whose texts came or went after a revision; None where that is not known any more."""
        ...

    def renewal(self, fingerprint: str) -> AbstractContextManager[Renewal]:
        """New vectors, made beside those that are there, which stay in use.

        Those that another embedder than this has made before go.
        """
        ...

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the files, a sentence each."""
        ...


class Renewal(Protocol):
    """The vectors that will take the others' place. What a killed process made is there the next time."""

    def missing(self) -> Iterator[Sequence[tuple[str, Chunk]]]:
        """Texts without a new vector: batches of keys, each with a chunk that has it."""
        ...

    def add(self, vectors: Mapping[str, Embedding]) -> None:
        """Keeps new vectors."""
        ...

    def take_over(self) -> None:
        """Puts the new vectors in the place of the old ones, in one step."""
        ...


class SourceTree(Protocol):
    """The files that a memory is of."""

    def named(self, path: str) -> str:
        """A path as the memory knows it, relative to its folder.

        Raises:
            DataError: D040 when there is nothing.
        """
        ...

    def relative(self, path: str) -> str:
        """A path as the memory knows it, whether there is something or not."""
        ...

    def walk(self, root: str) -> Iterator[FileMark | SkippedFile]:
        """Files under a root and what is left alone, a folder after the other; digests are not known yet."""
        ...

    def changes(self, roots: Sequence[str], ended: Callable[[], bool]) -> Iterator[None]:
        """Once when it begins, and whenever something under the roots has changed; until ``ended``."""
        ...

    def read(self, mark: FileMark) -> SourceFile | SkippedFile:
        """The file's content, if it is the file of the mark and worth remembering."""
        ...
