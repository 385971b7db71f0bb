"""Fakes of the ports of memory: small, deterministic and without a library."""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence

from cesello.domain.chunking import cut
from cesello.domain.document import Chunk, SourceFile
from cesello.domain.retrieval import Embedding, Hit, VectorEntry, as_cosine, checked_recall, unit_vector
from cesello.domain.surroundings import excerpt


def words(text: str) -> list[str]:
    """Small letters, identifiers taken apart: ``loadFile_now`` is load, file, now."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", text)]


class FakeChunker:
    """Cuts every file by lines."""

    def __init__(self, max_characters: int = 200) -> None:
        self._maximum = max_characters

    @property
    def fingerprint(self) -> str:
        return f"lines maximum={self._maximum}"

    def chunk(self, source: SourceFile) -> tuple[Chunk, ...]:
        text, codec = source.decoded()
        return cut(source, text, codec, blocks=(), maximum=self._maximum, language="text")


class FakeSurroundings:
    """Reads Python by its indentation: the last ``class`` above, and lines that begin with ``import``."""

    def around(self, source: SourceFile, chunk: Chunk, wanted: Collection[str]) -> tuple[Chunk, ...]:
        text, codec = source.decoded()
        if chunk.language != "python":
            return ()
        first = len(source.content[: chunk.start].decode(codec))
        body = text[first:].lstrip("\n")
        heads = [found for found in re.finditer(r"^class (\w+)", text, re.M) if found.start() < first]
        spans: list[tuple[int, int, str, str]] = []
        if "class" in wanted and heads and body.startswith(" "):
            head = re.compile(r'class .*:\n(?:    """[^"]*"""\n)?').match(text, heads[-1].start())
            if head:
                spans.append((*head.span(), "class", heads[-1][1]))
        if "imports" in wanted:
            spans += [
                (*found.span(), "imports", "") for found in re.finditer(r"(?:^import .*\n)+", text, re.M)
            ]
        found = [excerpt(source, start, end, "python", kind, name) for start, end, kind, name in spans]
        return tuple(one for one in found if one.end <= chunk.start or one.start >= chunk.end)


class FakeEmbedder:
    """Counts words, each in a place that its hash gives: texts with common words are near."""

    def __init__(self, dimension: int = 64) -> None:
        self._dimension = dimension
        self.embedded: list[str] = []

    @property
    def fingerprint(self) -> str:
        return f"words dimension={self._dimension}"

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def overlong(self) -> int:
        return 0

    def embed(self, texts: Sequence[str]) -> tuple[Embedding, ...]:
        self.embedded += texts
        return tuple(self._vector(text) for text in texts)

    def embed_query(self, query: str) -> Embedding:
        return self._vector(query)

    def _vector(self, text: str) -> Embedding:
        counts = [0.0] * self._dimension
        for word in words(text) or ["nothing"]:
            counts[zlib.crc32(word.encode()) % self._dimension] += 1
        return unit_vector(counts)


class FakeReranker:
    """The share of the query's words that a text has."""

    def __init__(self, fingerprint: str = "words") -> None:
        self._fingerprint = fingerprint

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def score(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        wanted = set(words(query))
        return tuple(len(wanted & set(words(text))) / max(len(wanted), 1) for text in texts)


class FakeVectorStore:
    """Compares the query with every vector."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[tuple[float, ...], dict[str, str]]] = {}
        self._dimension: int | None = None
        self._stamp = ""

    def upsert(self, entries: Sequence[VectorEntry]) -> None:
        if entries:
            dimension = self._dimension or len(entries[0].vector)
            new = {e.id: (unit_vector(e.vector, dimension), dict(e.metadata)) for e in entries}
            self._entries |= new
            self._dimension = dimension

    def delete(self, ids: Sequence[str]) -> None:
        for known in ids:
            self._entries.pop(known, None)

    def nearest(
        self, vector: Embedding, recall: int = 20, where: Mapping[str, str] | None = None
    ) -> tuple[Hit, ...]:
        checked_recall(recall)
        query = unit_vector(vector, self._dimension)
        wanted = (where or {}).items()
        hits = [
            Hit(known, as_cosine(sum(a * b for a, b in zip(kept, query, strict=True))), metadata)
            for known, (kept, metadata) in self._entries.items()
            if wanted <= metadata.items()
        ]
        return tuple(sorted(hits, key=lambda hit: -hit.score)[:recall])

    def __len__(self) -> int:
        return len(self._entries)

    def ids(self) -> Iterator[str]:
        return iter(tuple(self._entries))

    def set_stamp(self, stamp: str) -> None:
        self._stamp = stamp

    def stamp(self) -> str:
        return self._stamp

    def clear(self) -> None:
        self._entries.clear()
        self._dimension = None
        self._stamp = ""

    def close(self) -> None:
        pass
