"""What kernel ridge regression gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RidgeFit:
    """Of n rows and c columns of targets.

    Attributes:
        votes: shape (n, c): what a row adds to a prediction, times how like it that is.
        left_out: shape (n, c): what the other rows predict for a row.
    """

    votes: Sequence[Sequence[float]]
    left_out: Sequence[Sequence[float]]
