"""Exact search among rows of vectors: below 50,000 as fast as any index, and never wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...domain.retrieval import Embedding, Hit, as_cosine, unit_vector

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VectorTable:
    """Vectors by key.

    Attributes:
        keys: one a row.
        rows: unit vectors, shape (texts, dimension).
    """

    keys: Sequence[str]
    rows: Matrix

    def nearest(self, query: Embedding, recall: int, among: set[str] | None = None) -> list[Hit]:
        """The best rows by cosine, or those of the keys ``among``.

        Raises:
            StoreError: S001, S002.
        """
        if not self.keys:
            return []
        vector = np.array(unit_vector(query, self.rows.shape[1]), dtype=np.float32)
        with np.errstate(invalid="ignore", over="ignore"):  # of damaged vectors, which `verify` names
            scores = self.rows @ vector
        if among is None:
            return best(self.keys, scores, recall)
        places = np.fromiter((at for at, key in enumerate(self.keys) if key in among), dtype=np.intp)
        return best([self.keys[int(at)] for at in places], scores[places], recall)


def best(keys: Sequence[str], scores: Matrix, recall: int) -> list[Hit]:
    """The highest scores, best first, equal ones in the keys' order."""
    count = min(recall, len(scores))
    if not count:
        return []
    top = np.argpartition(-scores, count - 1)[:count]
    top = top[np.lexsort((top, -scores[top]))]
    return [Hit(keys[int(at)], as_cosine(float(scores[at]))) for at in top]


def as_rows(blobs: Sequence[bytes], dimension: int) -> Matrix:
    """Stored vectors as a matrix, shape (len(blobs), dimension)."""
    return np.frombuffer(b"".join(blobs), dtype="<f4").reshape(len(blobs), dimension)


def as_blob(vector: Embedding, dimension: int | None) -> bytes:
    """A vector of length 1 as it is stored: 4 bytes a number, little-endian.

    Raises:
        StoreError: S001, S002.
    """
    return np.array(unit_vector(vector, dimension), dtype="<f4").tobytes()
