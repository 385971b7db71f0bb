"""Searching a memory's tables: by vectors, compared with each, and by words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from ...domain.remembered import Selection
from ...domain.retrieval import Embedding, Hit
from ...domain.search_words import match_any
from .chunk_database import ChunkDatabase
from .chunk_rows import read_path, rows_of
from .exact_search import VectorTable

T = TypeVar("T")

BATCH = 500
"""Rows of a query that names its keys, or of a batch that is read; SQLite takes 32,766 names."""

_IN_MEMORY = 100_000
"""Up to so many vectors are kept in memory between questions: 154 MB of 384 numbers each. More are read anew
for each exact search."""

_READ = 20_000
_WEIGHTS = "bm25(words, 4.0, 1.0, 1.0)"


class SqliteSearch:
    """What is asked of the tables of ``chunk_tables``, where there are any, within ``ChunkDatabase.reading``.

    Args:
        database: which is asked; who opens it anew calls ``forget``.
    """

    def __init__(self, database: ChunkDatabase) -> None:
        self._db = database
        self._table: tuple[tuple[int, int], VectorTable] | None = None

    def forget(self) -> None:
        """The vectors are read again."""
        self._table = None

    def nearest(self, vector: Embedding, recall: int, only: Selection) -> tuple[Hit, ...]:
        """See ``ChunkStore``."""
        among = self._keys_of(only) if only else None
        hits: list[Hit] = []
        for table in self._tables():
            hits += table.nearest(vector, recall, among)
        return tuple(sorted(hits, key=lambda hit: -hit.score)[:recall])

    def matching(self, query: str, recall: int, only: Selection) -> tuple[Hit, ...]:
        """See ``ChunkStore``."""
        expression = match_any(query)
        if not expression:
            return ()
        where, values = self._chosen(only)
        # Copies of a text have one key, and are one hit.
        found = self._db.all(
            f"WITH said AS MATERIALIZED (SELECT key, -{_WEIGHTS} AS score FROM words"
            f" JOIN chunks ON chunks.id = words.rowid WHERE words MATCH ? AND {where})"
            " SELECT key, max(score) FROM said GROUP BY key ORDER BY 2 DESC, key LIMIT ?",
            expression, *values, recall,
        )  # fmt: skip
        return tuple(Hit(key, score) for key, score in found)

    def vectors(self, keys: Sequence[str] | None = None) -> Iterator[tuple[str, Embedding]]:
        """See ``ChunkStore``."""
        if keys is None:
            for table in self._batches_of_vectors():
                yield from zip(table.keys, (row.tolist() for row in table.rows), strict=True)
            return
        for batch in batches(keys, BATCH):
            rows = self._db.all(
                "SELECT key, vector FROM vectors WHERE generation = ? AND"
                f" key IN ({marks(batch)}) AND EXISTS (SELECT 1 FROM chunks WHERE chunks.key = vectors.key)",
                self._db.number("generation"), *batch,
            )  # fmt: skip
            for key, blob in rows:
                yield key, rows_of([blob], len(blob) // 4)[0].tolist()

    def _tables(self) -> Iterator[VectorTable]:
        """All vectors: from memory, where they are few."""
        revision = self._db.revision()
        if self._table and self._table[0] == revision:
            yield self._table[1]
            return
        self._table = None
        (count,) = self._db.one(
            "SELECT count(*) FROM vectors WHERE generation = ?", self._db.number("generation")
        )
        if count > _IN_MEMORY:
            yield from self._batches_of_vectors()
            return
        parts = list(self._batches_of_vectors(count + 1))
        if parts:
            self._table = (revision, parts[0])
            yield parts[0]

    def _batches_of_vectors(self, size: int = _READ) -> Iterator[VectorTable]:
        last, dimension = 0, self._db.number("dimension")
        while rows := self._db.all(
            "SELECT id, key, vector FROM vectors WHERE id > ? AND generation = ?"
            " AND EXISTS (SELECT 1 FROM chunks WHERE chunks.key = vectors.key) ORDER BY id LIMIT ?",
            last, self._db.number("generation"), size,
        ):  # fmt: skip
            last = rows[-1][0]
            yield VectorTable([key for _, key, _ in rows], rows_of([b for *_, b in rows], dimension))

    def _keys_of(self, only: Selection) -> set[str]:
        where, values = self._chosen(only)
        return {key for (key,) in self._db.all(f"SELECT DISTINCT key FROM chunks WHERE {where}", *values)}

    def _chosen(self, only: Selection) -> tuple[str, list[Any]]:
        """A selection as a condition of ``chunks``."""
        parts: list[str] = ["1"]
        values: list[Any] = []
        for column, wanted in (("language", only.languages), ("kind", only.kinds)):
            if wanted:
                parts.append(f"chunks.{column} IN ({marks(wanted)})")
                values += wanted
        if only.paths:
            files = [
                file
                for file, path in self._db.all("SELECT id, path FROM files")
                if only.fits_path(read_path(path))
            ]
            # Numbers out of the table, not values: there may be more of them than SQLite takes.
            parts.append(f"chunks.file IN ({','.join(map(str, files))})")
        return " AND ".join(parts), values


def marks(values: Sequence[Any]) -> str:
    """As many question marks."""
    return ",".join("?" * len(values))


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of at most this size."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
