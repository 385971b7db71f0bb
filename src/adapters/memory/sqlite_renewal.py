"""Vectors of another embedder, made beside those in use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...domain.document import Chunk
from ...domain.retrieval import Embedding
from .chunk_database import ChunkDatabase
from .chunk_rows import COLUMNS, chunk_from
from .exact_search import as_blob

_BATCH = 500


class SqliteRenewal:
    """Implements ``Renewal``.

    Args:
        generation: of the new vectors.
        fingerprint: of the embedder that makes them.
    """

    def __init__(self, database: ChunkDatabase, generation: int, fingerprint: str) -> None:
        self._db = database
        self._generation = generation
        self._fingerprint = fingerprint

    def missing(self) -> Iterator[Sequence[tuple[str, Chunk]]]:
        last = ""
        while rows := self._db.all(
            f"SELECT key, path, {COLUMNS} FROM chunks JOIN files ON files.id = file WHERE key > ?"
            " AND NOT EXISTS (SELECT 1 FROM vectors WHERE vectors.key = chunks.key AND generation = ?)"
            " GROUP BY key ORDER BY key LIMIT ?",
            last, self._generation, _BATCH,
        ):  # fmt: skip
            last = rows[-1][0]
            yield [(key, chunk_from(path, row)) for key, path, *row in rows]

    def add(self, vectors: Mapping[str, Embedding]) -> None:
        rows = [(self._generation, key, as_blob(vector, None)) for key, vector in vectors.items()]
        with self._db.changing():
            self._db.many("INSERT OR REPLACE INTO vectors(generation, key, vector) VALUES (?, ?, ?)", rows)

    def take_over(self) -> None:
        database = self._db
        with database.changing() as run:
            (length,) = database.one(
                "SELECT coalesce(max(length(vector)), 0) FROM vectors WHERE generation = ?", self._generation
            )
            run("DELETE FROM vectors WHERE generation <> ?", (self._generation,))
            run("UPDATE indexes SET dirty = 1")
            database.set_meta("generation", self._generation)
            database.set_meta("fingerprint", self._fingerprint)
            database.set_meta("dimension", length // 4)
            database.set_meta("renewal", "")
            # No index can be brought up to date by what has changed: everything has.
            revision = database.number("revision") + 1
            database.set_meta("revision", revision)
            database.set_meta("changes_from", revision)
