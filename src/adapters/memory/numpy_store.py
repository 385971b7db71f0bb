"""Exact search in memory: below 50,000 vectors as fast as any index, and never wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...domain.retrieval import Embedding, Hit, VectorEntry, as_cosine, checked_recall, unit_vector
from .unit_rows import unit_rows


class NumpyStore:
    """Implements ``VectorStore``; nothing is written to disk.

    An entry takes four bytes a number, its id, and a dictionary when it has metadata.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._rows: dict[str, int] = {}
        self._ids: list[str] = []
        self._metadata: dict[int, dict[str, str]] = {}
        # Rows of length 1, shape (capacity, dimension); the entries have the first rows, in their order.
        self._matrix: NDArray[np.float32] | None = None
        self._stamp = ""

    def set_stamp(self, stamp: str) -> None:
        self._stamp = stamp

    def stamp(self) -> str:
        return self._stamp

    def close(self) -> None:
        """Nothing is open."""

    def __len__(self) -> int:
        return len(self._ids)

    def ids(self) -> Iterator[str]:
        return iter(self._ids)

    def upsert(self, entries: Sequence[VectorEntry]) -> None:
        if not entries:
            return
        vectors = unit_rows(entries, self._dimension() or len(entries[0].vector))
        matrix = self._with_room({entry.id for entry in entries}, vectors.shape[1])
        for entry, vector in zip(entries, vectors, strict=True):
            row = self._rows.setdefault(entry.id, len(self._ids))
            if row == len(self._ids):
                self._ids.append(entry.id)
            matrix[row] = vector
            self._keep(row, dict(entry.metadata))

    def delete(self, ids: Sequence[str]) -> None:
        for known in ids:
            row = self._rows.pop(known, None)
            if row is None or self._matrix is None:
                continue
            last, at = self._ids.pop(), len(self._ids)
            metadata = self._metadata.pop(at, {})
            if row < at:  # the last entry takes the empty row
                self._ids[row] = last
                self._rows[last] = row
                self._matrix[row] = self._matrix[at]
                self._keep(row, metadata)

    def nearest(
        self,
        vector: Embedding,
        recall: int = 20,
        where: Mapping[str, str] | None = None,
        *,
        among: Iterable[str] | None = None,
    ) -> tuple[Hit, ...]:
        """See the port.

        Args:
            among: only these ids are looked at, unknown ones left out; None looks at all.
        """
        checked_recall(recall)
        query = np.array(unit_vector(vector, self._dimension()), dtype=np.float32)
        rows = self._rows_with(where or {}, among)
        if self._matrix is None or not len(self) or (rows is not None and not len(rows)):
            return ()
        scores = _scores(self._matrix[: len(self)], query, rows)
        if recall < len(scores):
            best = np.argpartition(scores, len(scores) - recall)[-recall:]
            best = best[np.argsort(-scores[best], kind="stable")]
        else:
            best = np.argsort(-scores, kind="stable")
        return tuple(self._hit(int(at if rows is None else rows[at]), float(scores[at])) for at in best)

    def _dimension(self) -> int | None:
        return None if self._matrix is None else self._matrix.shape[1]

    def _with_room(self, ids: set[str], dimension: int) -> NDArray[np.float32]:
        """The matrix with space for new ids; it grows by half, so that growing costs little."""
        capacity = 0 if self._matrix is None else len(self._matrix)
        needed = len(self) + len(ids - self._rows.keys())
        if self._matrix is None or needed > capacity:
            # Of a page that was never written the system makes no memory.
            grown = np.empty((max(needed, capacity * 3 // 2), dimension), dtype=np.float32)
            if self._matrix is not None:
                grown[: len(self)] = self._matrix[: len(self)]
            self._matrix = grown
        return self._matrix

    def _keep(self, row: int, metadata: dict[str, str]) -> None:
        if metadata:
            self._metadata[row] = metadata
        else:
            self._metadata.pop(row, None)

    def _rows_with(self, where: Mapping[str, str], among: Iterable[str] | None) -> NDArray[np.intp] | None:
        """The rows to look at; None for all."""
        if not where and among is None:
            return None
        rows: Iterable[int] = self._metadata
        if among is not None:
            rows = (self._rows[known] for known in dict.fromkeys(among) if known in self._rows)
        wanted = where.items()
        if wanted:
            rows = (row for row in rows if wanted <= self._metadata.get(row, {}).items())
        return np.fromiter(rows, dtype=np.intp)

    def _hit(self, row: int, score: float) -> Hit:
        return Hit(self._ids[row], as_cosine(score), self._metadata.get(row, {}))


def _scores(
    matrix: NDArray[np.float32], query: NDArray[np.float32], rows: NDArray[np.intp] | None
) -> NDArray[np.float32]:
    """Cosines, shape (rows,). Where most rows are asked for, all are faster than a copy of those."""
    if rows is None:
        return matrix @ query
    if len(rows) > len(matrix) // 4:
        return (matrix @ query)[rows]
    return matrix[rows] @ query
