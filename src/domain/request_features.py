"""A request as numbers: its meaning by an embedder, and its letters and words, which every language has.

The sparse part is two unit vectors in one mapping: words, and groups of three to five letters within words
(McNamee & Mayfield, 2004, "Character n-gram tokenization for European language text retrieval"), each
weighted (1 + log tf) · idf. The product of two requests is thus the sum of three cosines. Groups of letters
stand in for the stemmer of every language, and for what an embedder of English alone makes of the others.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from math import log, sqrt
from operator import mul

from .retrieval import Embedding

LONGEST = 2_000
"""Characters of a request that are looked at; what it asks for is said by then, and the rest is a log."""

_SHORTEST_GROUP, _LONGEST_GROUP = 3, 5
_WORD = re.compile(r"[^\W_]+")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\s]+")


@dataclass(frozen=True, slots=True)
class Features:
    """A request; ``dense`` has length 1, ``sparse`` is by feature."""

    dense: Embedding
    sparse: Mapping[str, float]

    def likeness(self, other: Features) -> float:
        """The square of the sum of the three cosines, divided by 3: in [0, 3], and 3 with itself.

        It is a kernel (the polynomial one of degree 2): what is alike in several ways at once counts most.
        """
        return self.product(other) ** 2 / 3

    def product(self, other: Features) -> float:
        """The sum of the cosines of meaning, letters and words, in [-1, 3]."""
        few, many = sorted((self.sparse, other.sparse), key=len)
        alike = sum(weight * many[name] for name, weight in few.items() if name in many)
        return float(sum(map(mul, self.dense, other.dense))) + alike


def normalised(request: str) -> str:
    """A request on one line, without what nobody sees, cut to ``LONGEST``."""
    text = unicodedata.normalize("NFKC", request[: 2 * LONGEST])
    return _UNSEEN.sub(" ", text).strip()[:LONGEST]


def says_something(request: str) -> bool:
    """Whether it has two letters beside each other: what has not is no request."""
    return any(len(word) > 1 and not word.isdecimal() for word in _WORD.findall(request))


class Vocabulary:
    """How telling each word and each group of letters is, by how few texts have it.

    Args:
        texts: what is known beforehand, normalised.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        counted = [(text, _counts(text)) for text in texts]
        self._texts = len(counted)
        self._having = Counter(name for _, counts in counted for part in counts for name in part)
        self._known = dict(counted)  # their features are asked for next, and counting is what takes long

    def sparse(self, text: str) -> dict[str, float]:
        """The features of a normalised text."""
        found: dict[str, float] = {}
        for counts in self._known.get(text) or _counts(text):
            found |= self._unit(counts)
        return found

    def _unit(self, counts: Mapping[str, int]) -> dict[str, float]:
        weights = {name: (1 + log(count)) * self._rarity(name) for name, count in counts.items()}
        length = sqrt(sum(weight * weight for weight in weights.values()))
        return {name: weight / length for name, weight in weights.items()} if length else {}

    def _rarity(self, name: str) -> float:
        return 1 + log((1 + self._texts) / (1 + self._having[name]))


def features(texts: Sequence[str], vectors: Sequence[Embedding], vocabulary: Vocabulary) -> list[Features]:
    """Of normalised texts with their vectors."""
    return [Features(vector, vocabulary.sparse(text)) for text, vector in zip(texts, vectors, strict=True)]


def _counts(text: str) -> tuple[Counter[str], Counter[str]]:
    plain = text.casefold()
    if not plain.isascii():
        plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    words = _WORD.findall(plain)
    groups = Counter(chain.from_iterable(map(_groups, words)))
    # A word is marked, so that it is not taken for the group of the same letters.
    return groups, Counter(f"={word}" for word in words)


@lru_cache(maxsize=10_000)  # most words of a request are words of many
def _groups(word: str) -> tuple[str, ...]:
    padded = f" {word} "
    return tuple(
        padded[at : at + size]
        for size in range(_SHORTEST_GROUP, _LONGEST_GROUP + 1)
        for at in range(len(padded) - size + 1)
    )
