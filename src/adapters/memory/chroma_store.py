"""Chroma as an index, in a folder or in memory."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import uuid4

import chromadb
import numpy as np
from chromadb.config import Settings
from chromadb.errors import ChromaError

from ...domain.errors import StoreError
from ...domain.retrieval import Embedding, Hit, VectorEntry, as_cosine, checked_recall, unit_vector

T = TypeVar("T")

_DATABASE = "chroma.sqlite3"
_BATCH = 5_461
"""What Chroma takes at once: its database allows 32,766 variables in a statement, and a row has six."""

_INDEX = {"space": "cosine", "ef_construction": 200, "ef_search": 400, "max_neighbors": 32}
"""Of the 20 nearest among 10,000 random vectors, the hardest there are, this finds 0.99 and Chroma's defaults
0.51; it takes twice the time, which is little beside embedding."""

_START_AGAIN = "name another folder, or delete this one and index again"


class ChromaStore:
    """Implements ``VectorStore``. Nothing is opened or written before the first use, and nothing is fetched.

    Args:
        folder: where it is kept, made for its owner alone; None keeps it in memory.
        collection: its name there, at least three letters, digits or ``._-``.
    """

    def __init__(self, folder: Path | None, collection: str = "code") -> None:
        self._folder = folder
        # Every client in memory sees one database: only a name of its own makes a store of its own.
        self._name = collection if folder else f"{collection}-{uuid4().hex}"
        self._client: Any = None
        self._collection: Any = None
        self._dimension: int | None = None

    def upsert(self, entries: Sequence[VectorEntry]) -> None:
        if not entries:
            return
        collection = self._open()
        dimension = self._dimension or len(entries[0].vector)
        latest = {entry.id: (entry, unit_vector(entry.vector, dimension)) for entry in entries}
        with self._explained():
            for batch in _batches(latest.values()):
                ids = [entry.id for entry, _ in batch]
                known = collection.get(ids=ids, include=[])["ids"]
                if known:  # to replace them in place takes ten times as long and keeps old metadata
                    collection.delete(ids=known)
                collection.upsert(
                    ids=ids,
                    embeddings=np.array([vector for _, vector in batch], dtype=np.float32),
                    metadatas=[dict(entry.metadata) or None for entry, _ in batch],
                )
                self._dimension = dimension

    def delete(self, ids: Sequence[str]) -> None:
        collection = self._open()
        with self._explained():
            for batch in _batches(dict.fromkeys(ids)):
                collection.delete(ids=batch)

    def nearest(
        self, vector: Embedding, recall: int = 20, where: Mapping[str, str] | None = None
    ) -> tuple[Hit, ...]:
        checked_recall(recall)
        collection = self._open()
        query = np.array([unit_vector(vector, self._dimension)], dtype=np.float32)
        count = len(self)
        if not count:
            return ()
        with self._explained():
            found = collection.query(
                query_embeddings=query,
                n_results=min(recall, count),
                where=_filter(where or {}),
                include=["distances", "metadatas"],
            )
        hits = zip(found["ids"][0], found["distances"][0], found["metadatas"][0], strict=True)
        return tuple(Hit(known, as_cosine(1 - distance), kept or {}) for known, distance, kept in hits)

    def __len__(self) -> int:
        collection = self._open()
        with self._explained():
            return int(collection.count())

    def clear(self) -> None:
        self._open()
        with self._explained():
            self._client.delete_collection(self._name)
        self._collection = None
        self._dimension = None

    def _open(self) -> Any:
        if self._collection is None:
            with self._explained():
                self._client = self._client or self._connected()
                collection = self._client.get_or_create_collection(
                    self._name, embedding_function=None, configuration={"hnsw": _INDEX}
                )
            _check_space(collection, self._where)
            self._collection = collection
        return self._collection

    def _connected(self) -> Any:
        # Chroma would read names of classes to import from a file .env in the working folder.
        options: dict[str, Any] = {"_env_file": None, "anonymized_telemetry": False}
        settings = Settings(**options)
        if self._folder is None:
            return chromadb.EphemeralClient(settings)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._dimension = _checked_dimension(self._folder / _DATABASE, self._name)
        return chromadb.PersistentClient(self._folder, settings)

    @property
    def _where(self) -> str:
        return f'collection "{self._name}" of {self._folder or "the store in memory"}'

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (ChromaError, ValueError, OSError, RuntimeError, sqlite3.Error) as cause:
            raise _unusable(self._where, cause) from cause


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, _BATCH)):
        yield batch


def _filter(where: Mapping[str, str]) -> dict[str, Any] | None:
    """Chroma refuses an empty filter, and ``$and`` with one part."""
    parts: list[dict[str, Any]] = [{key: {"$eq": value}} for key, value in where.items()]
    return {"$and": parts} if len(parts) > 1 else parts[0] if parts else None


def _checked_dimension(database: Path, collection: str) -> int | None:
    """The dimension of a stored collection, if it has one, once its settings are known to run nothing.

    Chroma builds the embedding function that the stored settings name, with the arguments that stand there:
    a folder from a stranger could load a model that runs code. So they are read before Chroma sees them.
    """
    if not database.exists():
        return None
    with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute("SELECT * FROM collections WHERE name = ?", (collection,)).fetchall()
    for row in rows:
        for column in ("config_json_str", "schema_str"):
            stored = row[column] if column in row.keys() else None  # noqa: SIM118
            named = _runs(json.loads(stored)) if stored else None
            if named:
                raise StoreError(
                    "S005",
                    "a store names a function that Chroma would load and run",
                    where=f'collection "{collection}" of {database.parent}',
                    got=named,
                    expected="no embedding function, because cesello embeds itself",
                    fix=_START_AGAIN,
                )
    return rows[0]["dimension"] if rows else None


def _runs(settings: object) -> str | None:
    """The first thing in stored settings that would be loaded and run."""
    unread = [settings]
    while unread:
        value = unread.pop()
        if isinstance(value, str) and "trust_remote_code" in value:
            return "trust_remote_code"
        if isinstance(value, list):
            unread += value
        elif isinstance(value, dict):
            unread += [*value.keys(), *value.values()]
            function = value.get("embedding_function")
            name = function.get("name") if isinstance(function, dict) else function
            if name not in (None, "default", "none"):
                return f"the embedding function {name}"
    return None


def _check_space(collection: Any, where: str) -> None:
    space = (collection.configuration_json.get("hnsw") or {}).get("space")
    if space != "cosine":
        raise StoreError(
            "S006", "a store compares otherwise", where=where, got=space, expected="cosine", fix=_START_AGAIN
        )


def _unusable(where: str, cause: Exception) -> StoreError:
    said = (str(cause).strip().splitlines() or [type(cause).__name__])[0][:200]
    return StoreError("S004", "a store cannot be used", where=where, got=said, fix=_START_AGAIN)
