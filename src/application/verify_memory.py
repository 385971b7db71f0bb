"""Check a memory against itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import hypot

from ..domain.chunk_text import embedding_text
from ..domain.errors import CeselloError
from ..domain.ports.chunk_store import ChunkStore
from ..domain.ports.run import Observer, Stop
from ..domain.remembered import EVERYTHING, IndexState, key_of
from ..domain.retrieval import is_unit
from .keep_index import KeepIndex

_SAME = 1e-3
"""How far from 1 the cosine of a vector with itself may be in an index of half precision."""

_SAID = 20


@dataclass(frozen=True, slots=True)
class MemoryCheckup:
    """What was looked at and what is wrong, a sentence each.

    Attributes:
        of_index: how many of the problems, the last ones, are those of the index, which holds no truth.
    """

    files: int
    chunks: int
    texts: int
    indexed: int
    problems: tuple[str, ...]
    of_index: int = 0


class VerifyMemory:
    """Reads all of a memory: spans, keys, words, vectors, and the index."""

    def __init__(
        self,
        chunks: ChunkStore,
        keep_index: KeepIndex,
        observer: Observer,
        stop: Stop,
    ) -> None:
        self._chunks = chunks
        self._keep_index = keep_index
        self._observer = observer
        self._stop = stop

    def __call__(self) -> MemoryCheckup:
        """Every problem, at most twenty of a kind."""
        if not self._chunks.state().files:
            return MemoryCheckup(0, 0, 0, 0, ())
        with self._chunks.writer():
            state = self._chunks.state()
            problems = [*self._chunks.problems(), *_first(self._wrong_spans(state.chunks))]
            problems += _first(self._wrong_vectors(state.texts))
            indexed, wrong = self._look_at_index()
            problems += wrong
        return MemoryCheckup(
            state.files, state.chunks, state.texts, indexed, tuple(problems), of_index=len(wrong)
        )

    def _wrong_spans(self, count: int) -> Iterator[str]:
        sizes = {path: mark.size for path, mark in self._chunks.files().items()}
        path, end = "", 0
        seen: set[str] = set()
        self._observer.phase("reading chunks", count)
        for key, chunk in self._chunks.all_chunks():
            self._stop.check()
            self._observer.advance()
            seen.add(chunk.path)
            if chunk.path != path:
                if path and end != sizes[path]:
                    yield f"{path}: its chunks end at byte {end} of {sizes[path]}"
                path, end = chunk.path, 0
            if chunk.start != end:
                yield f"{chunk.location}: begins at byte {chunk.start}, but the chunk before ends at {end}"
            if key != key_of(embedding_text(chunk)):
                yield f"{chunk.location}: its key is not that of its text"
            end = chunk.end
        if path and end != sizes[path]:
            yield f"{path}: its chunks end at byte {end} of {sizes[path]}"
        for path in sizes.keys() - seen:
            yield f"{path}: it has no chunks"

    def _wrong_vectors(self, count: int) -> Iterator[str]:
        self._observer.phase("reading vectors", count)
        for key, vector in self._chunks.vectors():
            self._stop.check()
            self._observer.advance()
            if not is_unit(vector) and (any(vector) or self._has_words(key)):
                yield f"the vector of {self._place(key)} is damaged: its length is {hypot(*vector):.3g}"

    def _look_at_index(self) -> tuple[int, list[str]]:
        index = self._keep_index.finding()
        if index.state == IndexState.NONE:
            return 0, []
        if index.state != IndexState.READY:
            return 0, [f"the index {index.said}"]
        try:
            there = set(self._keep_index.index.ids())
            return len(there), list(_first(self._wrong_entries(there)))
        except CeselloError as problem:
            return 0, [f"the index gives no answer: {problem}"]

    def _wrong_entries(self, there: set[str]) -> Iterator[str]:
        self._observer.phase("asking the index", len(there))
        known = set()
        for key, vector in self._chunks.vectors():
            self._stop.check()
            self._observer.advance()
            known.add(key)
            if key not in there:
                yield f"the index lacks {self._place(key)}"
                continue
            hits = self._keep_index.index.nearest(vector, 5)
            # Texts that differ in nothing the embedder reads have one vector, more than five of them perhaps.
            if not any(hit.score > 1 - _SAME for hit in hits):
                yield f"the index does not find {self._place(key)} by its own vector"
        if foreign := len(there - known):
            yield f"the index has {foreign} texts that no file has"

    def _place(self, key: str) -> str:
        chunks = self._chunks.chunks([key], EVERYTHING).get(key, ())
        return chunks[0].location if chunks else key

    def _has_words(self, key: str) -> bool:
        """Of a text without any, the vector may have no length."""
        chunks = self._chunks.chunks([key], EVERYTHING).get(key, ())
        return any(map(str.isalnum, "".join(map(embedding_text, chunks))))


def _first(problems: Iterator[str]) -> Iterator[str]:
    count = 0
    for problem in problems:
        count += 1
        if count <= _SAID:
            yield problem
    if count > _SAID:
        yield f"and {count - _SAID} more of this kind"
