"""Exact search in memory: below 50,000 vectors as fast as any index, and never wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...domain.retrieval import Embedding, Hit, VectorEntry, as_cosine, checked_recall, unit_vector


class NumpyStore:
    """Implements ``VectorStore``; nothing is written to disk."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._rows: dict[str, int] = {}
        self._entries: list[tuple[str, Mapping[str, str]]] = []
        # Rows of length 1, shape (capacity, dimension); the entries have the first rows, in their order.
        self._matrix: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def upsert(self, entries: Sequence[VectorEntry]) -> None:
        if not entries:
            return
        dimension = self._dimension() or len(entries[0].vector)
        vectors = np.array([unit_vector(entry.vector, dimension) for entry in entries], dtype=np.float32)
        matrix = self._with_room(len(entries), dimension)
        for entry, vector in zip(entries, vectors, strict=True):
            row = self._rows.setdefault(entry.id, len(self._entries))
            self._entries[row : row + 1] = [(entry.id, dict(entry.metadata))]
            matrix[row] = vector

    def delete(self, ids: Sequence[str]) -> None:
        for known in ids:
            row = self._rows.pop(known, None)
            if row is None or self._matrix is None:
                continue
            last = self._entries.pop()
            if row < len(self._entries):  # the last entry takes the empty row
                self._entries[row] = last
                self._rows[last[0]] = row
                self._matrix[row] = self._matrix[len(self._entries)]

    def nearest(
        self, vector: Embedding, recall: int = 20, where: Mapping[str, str] | None = None
    ) -> tuple[Hit, ...]:
        checked_recall(recall)
        query = np.array(unit_vector(vector, self._dimension()), dtype=np.float32)
        rows = self._rows_with(where or {})
        if self._matrix is None or not len(rows):
            return ()
        scores = (self._matrix[: len(self)] @ query)[rows]
        best = np.argpartition(-scores, min(recall, len(scores)) - 1)[:recall]
        best = best[np.argsort(-scores[best], kind="stable")]
        return tuple(self._hit(int(rows[place]), float(scores[place])) for place in best)

    def _dimension(self) -> int | None:
        return None if self._matrix is None else self._matrix.shape[1]

    def _with_room(self, more: int, dimension: int) -> NDArray[np.float32]:
        """The matrix with space for more rows; it doubles, so that growing costs little."""
        capacity = 0 if self._matrix is None else len(self._matrix)
        needed = len(self) + more
        if self._matrix is None or needed > capacity:
            grown = np.zeros((max(needed, 2 * capacity), dimension), dtype=np.float32)
            if self._matrix is not None:
                grown[: len(self)] = self._matrix[: len(self)]
            self._matrix = grown
        return self._matrix

    def _rows_with(self, where: Mapping[str, str]) -> NDArray[np.intp]:
        if not where:
            return np.arange(len(self))
        wanted = where.items()
        return np.array(
            [i for i, (_, kept) in enumerate(self._entries) if wanted <= kept.items()], dtype=np.intp
        )

    def _hit(self, row: int, score: float) -> Hit:
        known, metadata = self._entries[row]
        return Hit(known, as_cosine(score), metadata)
