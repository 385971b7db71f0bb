"""What a collection of Chroma is asked, wherever it is kept, and how it is set up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...domain.errors import StoreError
from ...domain.retrieval import Hit, VectorEntry, as_cosine
from .unit_rows import unit_rows

T = TypeVar("T")

MOST_AT_ONCE = 5_461
"""What Chroma takes: its database allows 32,766 variables in a statement, and a row has six."""

INDEX = {
    "space": "cosine", "ef_construction": 200, "ef_search": 400, "max_neighbors": 32,
    "batch_size": 2, "sync_threshold": 2,
}  # fmt: skip
"""Of the 20 nearest among 10,000 random vectors, the hardest there are, this finds 0.99 and Chroma's defaults
0.51; it takes twice the time, which is little beside embedding.

The graph is on the disk after every batch, the least that Chroma takes being 2. What was not written there,
1,000 changes otherwise, every reader would build again and write, and the folder's seal would fit no more."""


STAMP = "cesello_stamp"
"""The name of a store's stamp among the metadata of its collection."""


class Collection(Protocol):
    """The part of chromadb's ``Collection`` that is used, with its names."""

    def count(self) -> int: ...

    def get(
        self,
        *,
        ids: list[str] | None = None,
        limit: int | None = None,
        offset: int | None = None,
        include: list[Any],
    ) -> Mapping[str, Any]: ...

    def query(
        self, *, query_embeddings: Any, n_results: int, where: dict[str, Any] | None, include: list[Any]
    ) -> Mapping[str, Any]: ...

    def upsert(
        self, *, ids: list[str], embeddings: Any, metadatas: list[dict[str, str] | None]
    ) -> object: ...

    def delete(self, *, ids: list[str]) -> object: ...


def batches(items: Iterable[T], size: int = MOST_AT_ONCE) -> Iterator[list[T]]:
    """The items in lists of at most this size."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def last_of_each(
    entries: Sequence[VectorEntry], dimension: int
) -> list[tuple[VectorEntry, NDArray[np.float32]]]:
    """For each id the last entry, with its vector at length 1.

    Raises:
        StoreError: S001, S002, for those too that a later one replaces.
    """
    vectors = unit_rows(entries, dimension)
    return list({entry.id: (entry, vectors[row]) for row, entry in enumerate(entries)}.values())


def replace(collection: Collection, batch: Sequence[tuple[VectorEntry, NDArray[np.float32]]]) -> None:
    """Stores a batch, the known ones anew: in place takes ten times as long and keeps old metadata."""
    ids = [entry.id for entry, _ in batch]
    known = collection.get(ids=ids, include=[])["ids"]
    if known:
        collection.delete(ids=known)
    collection.upsert(
        ids=ids,
        embeddings=np.array([vector for _, vector in batch]),
        metadatas=[dict(entry.metadata) or None for entry, _ in batch],
    )


def find(
    collection: Collection, query: Sequence[float], recall: int, where: Mapping[str, str] | None
) -> tuple[Hit, ...]:
    """The entries nearest to a vector of length 1."""
    count = collection.count()
    if not count:
        return ()
    found = collection.query(
        query_embeddings=np.array([query], dtype=np.float32),
        n_results=min(recall, count),
        where=_filter(where or {}),
        include=["distances", "metadatas"],
    )
    hits = zip(found["ids"][0], found["distances"][0], found["metadatas"][0], strict=True)
    return tuple(Hit(known, as_cosine(1 - distance), kept or {}) for known, distance, kept in hits)


def ids_from(collection: Collection, start: int) -> list[str]:
    """Some ids, those from this place on; fewer than ``MOST_AT_ONCE`` are the last."""
    return list(collection.get(limit=MOST_AT_ONCE, offset=start, include=[])["ids"])


def check_space(configuration: Mapping[str, Any], where: str, fix: str) -> None:
    """Raises S006 for a collection that does not compare by cosine."""
    space = (configuration.get("hnsw") or {}).get("space")
    if space != "cosine":
        raise StoreError(
            "S006", "a store compares otherwise", where=where, got=space, expected="cosine", fix=fix
        )


def _filter(where: Mapping[str, str]) -> dict[str, Any] | None:
    """Chroma refuses an empty filter, and ``$and`` with one part."""
    parts: list[dict[str, Any]] = [{key: {"$eq": value}} for key, value in where.items()]
    return {"$and": parts} if len(parts) > 1 else parts[0] if parts else None
