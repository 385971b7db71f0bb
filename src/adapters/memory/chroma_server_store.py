"""A Chroma server, as ``chroma run`` starts one, as an index."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from ...domain.errors import CeselloError
from ...domain.retrieval import Embedding, Hit, VectorEntry, checked_recall, unit_vector
from .chroma_collection import INDEX, STAMP, batches, check_space, find, ids_from, last_of_each, replace
from .chroma_server import ChromaServer, RestCollection, no_address

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,498}[A-Za-z0-9]")
_BATCH = 1_000
"""Entries in a request: 2 MB of vectors with 384 numbers. A server takes 40 MB."""


class ChromaServerStore:
    """Implements ``VectorStore``. Nothing is asked before the first use.

    Args:
        url: of the server, such as ``http://localhost:8000``; Chroma 1.0 or newer.
        collection: its name there; at least three letters, digits or ``._-``.
        token_env: the environment variable that holds a token; it is sent over TLS or within this machine,
            as a bearer's and as Chroma Cloud's, and shown nowhere.
        timeout: seconds for one answer.

    Raises:
        UsageError: C098 no usable address or name; C103, at the first use, no such variable.
    """

    def __init__(
        self,
        url: str,
        collection: str = "code",
        *,
        token_env: str | None = None,
        tenant: str = "default_tenant",
        database: str = "default_database",
        timeout: float = 60.0,
    ) -> None:
        if not _NAME.fullmatch(collection):
            raise no_address("a collection's name", got=collection, expected="3 or more of a-z A-Z 0-9 ._-")
        self._server = ChromaServer(url, token_env, timeout)
        self._name = collection
        place = f"/api/v2/tenants/{quote(tenant, safe='')}/databases/{quote(database, safe='')}"
        self._collections = f"{place}/collections"
        self._forget()

    def _forget(self) -> None:
        self._collection: RestCollection | None = None
        self._dimension: int | None = None
        self._stamp = ""

    def upsert(self, entries: Sequence[VectorEntry]) -> None:
        if not entries:
            return
        with self._looked():
            dimension = self._dimension or len(entries[0].vector)
            latest = last_of_each(entries, dimension)
            collection = self._collection or self._made()
            for batch in batches(latest, _BATCH):
                replace(collection, batch)
                self._dimension = dimension

    def delete(self, ids: Sequence[str]) -> None:
        with self._looked():
            for batch in batches(dict.fromkeys(ids), _BATCH):
                if self._collection is not None:
                    self._collection.delete(ids=batch)

    def nearest(
        self, vector: Embedding, recall: int = 20, where: Mapping[str, str] | None = None
    ) -> tuple[Hit, ...]:
        checked_recall(recall)
        with self._looked():
            query = unit_vector(vector, self._dimension)
            return find(self._collection, query, recall, where) if self._collection else ()

    def __len__(self) -> int:
        with self._looked():
            return self._collection.count() if self._collection else 0

    def ids(self) -> Iterator[str]:
        start = 0
        while True:
            with self._looked():
                part = ids_from(self._collection, start) if self._collection else []
            if not part:
                return
            yield from part
            start += len(part)

    def set_stamp(self, stamp: str) -> None:
        with self._looked():
            (self._collection or self._made()).modify(metadata={STAMP: stamp})
            self._stamp = stamp

    def stamp(self) -> str:
        with self._looked():
            return self._stamp

    def clear(self) -> None:
        path = f"{self._collections}/{quote(self._name, safe='')}"
        self._server.ask("DELETE", path, absent_is_none=True)
        self._forget()

    def close(self) -> None:
        self._forget()
        self._server.close()

    @contextmanager
    def _looked(self) -> Iterator[None]:
        """Within this it is known what the server has; after an error of the server it is asked again."""
        try:
            if self._collection is None:
                path = f"{self._collections}/{quote(self._name, safe='')}"
                found = self._server.ask("GET", path, absent_is_none=True)
                if found is not None:
                    self._learn(found)
            yield
        except CeselloError as error:
            if error.code not in ("S001", "S002"):
                self._forget()
            raise

    def _made(self) -> RestCollection:
        body = {"name": self._name, "get_or_create": True, "configuration": {"hnsw": INDEX}}
        return self._learn(self._server.ask("POST", self._collections, body))

    def _learn(self, found: Any) -> RestCollection:
        if not isinstance(found, dict) or not {"id", "configuration_json", "dimension"} <= found.keys():
            raise self._server.stranger("another answer about a collection")
        where = f'collection "{self._name}" of {self._server.url}'
        check_space(found["configuration_json"], where, "name another collection, or delete this one")
        self._dimension = found["dimension"]
        self._stamp = str((found.get("metadata") or {}).get(STAMP, ""))
        self._collection = RestCollection(self._server, f"{self._collections}/{found['id']}")
        return self._collection
