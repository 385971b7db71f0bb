"""Kernel ridge regression by NumPy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...domain.request_features import Features
from ...domain.ridge import RidgeFit

Matrix = NDArray[np.float64]


class NumpyRidge:
    """Implements ``RidgeRegression``."""

    def fit(self, rows: Sequence[Features], targets: Sequence[Sequence[float]], penalty: float) -> RidgeFit:
        """See the port. That a row is left out needs no other fit (Allen, 1974; Golub, Heath & Wahba,
        1979).
        """
        if not rows:
            return RidgeFit((), ())
        wanted = np.asarray(targets, dtype=np.float64)
        inverse = np.linalg.inv(_products(rows) ** 2 / 3 + penalty * np.eye(len(rows)))
        votes = inverse @ wanted
        left_out = wanted - votes / np.diag(inverse)[:, None]
        return RidgeFit(votes.tolist(), left_out.tolist())


def _products(rows: Sequence[Features]) -> Matrix:
    dense = np.asarray([row.dense for row in rows], dtype=np.float64)
    products: Matrix = dense @ dense.T
    having: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for at, row in enumerate(rows):
        for name, weight in row.sparse.items():
            having[name].append((at, weight))
    for found in having.values():
        places = np.array([at for at, _ in found])
        weights = np.array([weight for _, weight in found])
        products[np.ix_(places, places)] += np.outer(weights, weights)
    return products
