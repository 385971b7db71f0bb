"""Vectors, what is found with them, and how it is shown to a model."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .document import Chunk
from .errors import StoreError

Embedding = Sequence[float]
"""One vector, shape (dimension,)."""

_ROUNDING = 1e-3
"""How far from 1 the length of a unit vector may be when it was kept in fewer digits."""


@dataclass(frozen=True, slots=True)
class VectorEntry:
    """What a vector store keeps.

    Attributes:
        id: not empty, unique in the store.
        vector: shape (dimension,), of any length: only its direction counts.
        metadata: text to filter by; a key is made of letters, digits and underscores.
    """

    id: str
    vector: Embedding
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that was found.

    Attributes:
        score: the cosine with the query, in [-1, 1]; 0 where one of the two is the zero vector.
    """

    id: str
    score: float
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk as an answer to a question.

    Attributes:
        score: how well it answers: a cosine or a reranker's probability.
        beside: other lines of its file that help to read it; their kinds say what they are.
    """

    chunk: Chunk
    score: float
    beside: tuple[Chunk, ...] = ()


def unit_vector(vector: Embedding, dimension: int | None = None) -> tuple[float, ...]:
    """The vector with length 1; the zero vector stays what it is.

    Args:
        vector: shape (dimension,).
        dimension: what the store has, None while it is empty.

    Raises:
        StoreError: S001 another dimension, S002 parts that are not finite.
    """
    if not vector or len(vector) != (dimension or len(vector)):
        raise StoreError(
            "S001",
            "a vector does not fit the store",
            got=f"{len(vector)} numbers",
            expected=f"{dimension or 'at least 1'} numbers",
            fix="use the embedder the store was filled with, or clear the store and fill it again",
        )
    length = math.hypot(*vector)
    if not math.isfinite(length):
        raise StoreError(
            "S002",
            "a vector has parts that are not finite",
            got="NaN or infinity",
            expected="finite numbers",
            fix="embed the text again; if it stays so, report it with the name of the embedder",
        )
    if 0 < length < sys.float_info.min:
        # So short that it has hardly a digit left: a power of two gives it some, and changes no direction.
        return unit_vector([math.ldexp(part, 600) for part in vector])
    return tuple(part / length for part in vector) if length else tuple(map(float, vector))


def is_unit(vector: Embedding) -> bool:
    """Whether a vector that was kept has length 1."""
    return abs(math.hypot(*vector) - 1) < _ROUNDING


def checked_recall(recall: int) -> int:
    """How many entries to fetch, as given.

    Raises:
        StoreError: S003 below 1.
    """
    if recall < 1:
        raise StoreError(
            "S003", "nothing can be fetched", got=f"recall {recall}", expected="1 or more", fix="raise recall"
        )
    return recall


def as_cosine(number: float) -> float:
    """A cosine that rounding may have pushed out of [-1, 1]."""
    return min(1.0, max(-1.0, number))
