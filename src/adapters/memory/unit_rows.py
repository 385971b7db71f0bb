"""Many vectors with length 1 at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...domain.retrieval import VectorEntry, unit_vector

_AT_ONCE = 1_024


def unit_rows(entries: Sequence[VectorEntry], dimension: int) -> NDArray[np.float32]:
    """The entries' vectors as ``unit_vector`` makes them, shape (entries, dimension).

    Vectors that are a buffer of numbers, such as an ``array`` or a view on stored bytes, are read as one.

    Raises:
        StoreError: S001 another dimension, S002 parts that are not finite.
    """
    units = np.empty((len(entries), dimension), dtype=np.float32)
    for start in range(0, len(entries), _AT_ONCE):  # in parts: in double precision they take twice the room
        vectors = [entry.vector for entry in entries[start : start + _AT_ONCE]]
        for vector in vectors:
            if len(vector) != dimension:
                unit_vector(vector, dimension)
        rows = np.array(vectors, dtype=np.float64)
        with np.errstate(over="ignore"):
            lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        # Of squares that are too big or too small nothing is left; one at a time they are measured otherwise.
        usual = (lengths > sys.float_info.min**0.5) & np.isfinite(lengths)
        rows[usual] /= lengths[usual, None]
        for strange in np.flatnonzero(~usual):
            rows[strange] = unit_vector(vectors[strange], dimension)
        units[start : start + len(rows)] = rows
    return units
