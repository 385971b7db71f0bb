"""Chroma as an index, in a folder or in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import chromadb
from chromadb.config import Settings
from chromadb.errors import ChromaError

from ...domain.errors import CeselloError, RetryableError, StoreError
from ...domain.retrieval import Embedding, Hit, VectorEntry, checked_recall, unit_vector
from .chroma_collection import INDEX, STAMP, batches, check_space, find, ids_from, last_of_each, replace
from .chroma_folder import START_AGAIN, ChromaFolder

_BUSY = ("database is locked", "disk is full", "No space left")


class ChromaStore:
    """Implements ``VectorStore``. Nothing is opened or written before the first use, and nothing is fetched.

    Args:
        folder: where it is kept, made for its owner alone; None keeps it in memory.
        collection: its name there, at least three letters, digits or ``._-``.
    """

    def __init__(self, folder: Path | None, collection: str = "code") -> None:
        self._folder = ChromaFolder(folder) if folder else None
        # Every client in memory sees one database: only a name of its own makes a store of its own.
        self._name = collection if folder else f"{collection}-{uuid4().hex}"
        self._where = f'collection "{self._name}" of {folder or "the store in memory"}'
        self._client: Any = None
        self._collection: Any = None
        self._dimension: int | None = None
        self._wrote = False

    def upsert(self, entries: Sequence[VectorEntry]) -> None:
        if not entries:
            return
        collection = self._open()
        dimension = self._dimension or len(entries[0].vector)
        for batch in batches(last_of_each(entries, dimension)):
            with self._changing():
                replace(collection, batch)
                self._dimension = dimension

    def delete(self, ids: Sequence[str]) -> None:
        collection = self._open()
        for batch in batches(dict.fromkeys(ids)):
            with self._changing():
                collection.delete(ids=batch)

    def nearest(
        self, vector: Embedding, recall: int = 20, where: Mapping[str, str] | None = None
    ) -> tuple[Hit, ...]:
        checked_recall(recall)
        collection = self._open()
        query = unit_vector(vector, self._dimension)
        with self._explained():
            return find(collection, query, recall, where)

    def __len__(self) -> int:
        collection = self._open()
        with self._explained():
            return int(collection.count())

    def ids(self) -> Iterator[str]:
        collection, start = self._open(), 0
        while True:
            with self._explained():
                part = ids_from(collection, start)
            if not part:
                return
            yield from part
            start += len(part)

    def set_stamp(self, stamp: str) -> None:
        collection = self._open()
        with self._changing():
            collection.modify(metadata={STAMP: stamp})

    def stamp(self) -> str:
        return str((self._open().metadata or {}).get(STAMP, ""))

    def clear(self) -> None:
        try:
            self._open()
            with self._changing():
                self._client.delete_collection(self._name)
                if self._folder is not None:
                    self._folder.sweep()
        except StoreError:
            self.close()
            if self._folder is None or not self._emptied(self._folder):
                raise
        self._collection = None
        self._dimension = None

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None and self._collection is not None and self._folder is None:
            with self._explained(), suppress(ChromaError):
                client.delete_collection(self._name)
        self._collection = None
        self._dimension = None
        if client is not None:
            with self._explained(), self._locked():
                client.close()
                if self._folder is not None and self._wrote:
                    with suppress(OSError):  # a folder that is gone
                        self._folder.seal()  # Chroma writes what it still has in memory
            self._wrote = False

    def _emptied(self, folder: ChromaFolder) -> bool:
        with self._explained(), folder.locked(self._where):
            return folder.empty()

    def _open(self) -> Any:
        if self._collection is None:
            with self._explained(), self._locked():
                self._client = self._client or self._connected()
                collection = self._client.get_or_create_collection(
                    self._name, embedding_function=None, configuration={"hnsw": INDEX}
                )
                if self._folder is not None:
                    self._folder.seal()
            check_space(collection.configuration_json, self._where, START_AGAIN)
            self._collection = collection
        return self._collection

    def _connected(self) -> Any:
        # Chroma would read names of classes to import from a file .env in the working folder.
        options: dict[str, Any] = {"_env_file": None, "anonymized_telemetry": False}
        settings = Settings(**options)
        if self._folder is None:
            return chromadb.EphemeralClient(settings)
        self._dimension = self._folder.checked_dimension(self._name)
        return chromadb.PersistentClient(self._folder.path, settings)

    def _locked(self) -> Any:
        return self._folder.locked(self._where) if self._folder else nullcontext()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._explained(), self._locked():
            self._wrote = True
            yield
            if self._folder is not None:
                self._folder.seal()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (ChromaError, ValueError, OSError, RuntimeError, sqlite3.Error) as cause:
            raise _unusable(self._where, cause) from cause
        except BaseException as cause:
            if type(cause).__name__ != "PanicException":  # Rust's, which is no Exception
                raise
            raise _unusable(self._where, cause) from cause


def _unusable(where: str, cause: BaseException) -> CeselloError:
    said = (str(cause).strip().splitlines() or [type(cause).__name__])[0][:200]
    if any(word in str(cause) for word in _BUSY):
        return RetryableError("T098", "a store is busy", where=where, got=said, fix="try again later")
    return StoreError("S004", "a store cannot be used", where=where, got=said, fix=START_AGAIN)
