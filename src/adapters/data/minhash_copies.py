"""Near copies by MinHash signatures (datasketch), sorted into buckets, and an exact comparison within them.

MinHash is Broder's, "On the resemblance and containment of documents" (1997). Signatures cut into bands, of
which equal ones share a bucket: Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", chapter 3.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator
from typing import TypeAlias
from unicodedata import normalize

import numpy as np
from datasketch import MinHash
from numpy.typing import NDArray

_GROUP = 5
_PERMUTATIONS = 128
_SEED = 1
_MISSED = 0.001
_CROWD = 64
_AT_ONCE = 4096

Hashes: TypeAlias = NDArray[np.uint64]


class MinHashCopies:
    """Texts are alike by the share of groups of five words that they have in common.

    Case, blanks and the way accents are composed make no difference. A text of fewer words is one group; a
    text without words is like none. Where words are not parted by blanks, equal texts alone are alike.

    Equal texts are always found, and nothing that is less similar than asked for. Of pairs just as similar
    as asked for the buckets miss one in a thousand, of more similar ones fewer (below a similarity of 0.06
    more). In a bucket of more than 64 texts a text is compared with the first 64 alone, so that rows made
    from one template take no quadratic time. The result depends on the texts, not on the process.

    100,000 different texts of 100 words take about 170 MB: 8 bytes a word, and 1 KB a text. Equal texts after
    the first take none.
    """

    def find(self, texts: Iterable[str], similarity: float) -> Iterator[tuple[int, int, float]]:
        """See the port. All texts are read before the first is reported."""
        different = _Texts()
        found = [
            (position, earlier, 1.0)
            for position, text in enumerate(texts)
            if (earlier := different.add(position, text)) is not None
        ]
        found.extend(different.alike(similarity))
        yield from sorted(found)


class _Texts:
    """The different texts: where each stood, its groups as sorted 64-bit hashes, and its signature."""

    def __init__(self) -> None:
        self._first: dict[bytes, int] = {}
        self._positions = array("Q")
        self._groups = array("Q")
        self._ends = array("Q", [0])
        self._signatures = array("I")
        self._sketch = MinHash(_PERMUTATIONS, seed=_SEED, hashfunc=int, scheme="affine32")

    def add(self, position: int, text: str) -> int | None:
        """Keeps a text; or returns where its equal stands, which is not kept twice."""
        groups = _groups(text)
        if not len(groups):
            return None
        content = groups.tobytes()
        first = self._first.setdefault(hashlib.blake2b(content, digest_size=16).digest(), position)
        if first != position:
            return first
        self._positions.append(position)
        self._groups.frombytes(content)
        self._ends.append(len(self._groups))
        self._signatures.frombytes(self._signature(groups))
        return None

    def _signature(self, groups: Hashes) -> bytes:
        self._sketch.clear()
        low = groups.astype(np.uint32)
        for begin in range(0, len(low), _AT_ONCE):  # a matrix [groups, permutations] is made of each part
            self._sketch.update_batch(low[begin : begin + _AT_ONCE])
        signature: bytes = self._sketch.hashvalues.tobytes()
        return signature

    def alike(self, similarity: float) -> Iterator[tuple[int, int, float]]:
        """Every kept text that is like an earlier one: both positions and their similarity."""
        signatures = np.frombuffer(self._signatures, np.uint32).reshape(-1, _PERMUTATIONS)
        count, rows = _bands(similarity)
        bands = [_Band(signatures[:, band * rows : (band + 1) * rows]) for band in range(count)]
        shared = np.zeros(len(signatures), bool)
        for band in bands:
            shared |= band.earlier > 0
        for index in np.flatnonzero(shared).tolist():
            others = np.unique(np.concatenate([band.before(index) for band in bands]))
            shares = self._shares(index, others)
            best = int(shares.argmax())
            if shares[best] >= similarity:
                yield self._positions[index], self._positions[int(others[best])], float(shares[best])

    def _shares(self, index: int, others: NDArray[np.int32]) -> NDArray[np.float64]:
        """Jaccard's measure of a text and each of the others."""
        mine = self._of(index)
        theirs = [self._of(int(other)) for other in others]
        sizes = np.array([len(groups) for groups in theirs])
        joined = np.concatenate(theirs)
        places = np.searchsorted(mine, joined).clip(max=len(mine) - 1)
        hits = (mine[places] == joined).astype(np.int64)
        common = np.add.reduceat(hits, np.cumsum(sizes) - sizes)
        shares: NDArray[np.float64] = common / (len(mine) + sizes - common)
        return shares

    def _of(self, index: int) -> Hashes:
        begin, end = self._ends[index], self._ends[index + 1]
        return np.frombuffer(self._groups, np.uint64, end - begin, 8 * begin)


class _Band:
    """Texts in buckets: a bucket holds those whose signatures are equal in these rows.

    Attributes:
        earlier: how many of its bucket come before a text, 64 at most, shape [N].
    """

    def __init__(self, rows: NDArray[np.uint32]) -> None:
        # Two buckets whose keys collide are one: more to compare, and nothing is lost.
        keys = rows.astype(np.uint64) @ _odd_numbers(rows.shape[1])
        self._order = np.argsort(keys, kind="stable").astype(np.int32)
        keys = keys[self._order]
        places = np.arange(len(keys), dtype=np.int32)
        begins = np.maximum.accumulate(np.where(np.diff(keys, prepend=keys[:1] + 1) != 0, places, 0))
        self._begin = np.empty_like(places)
        self._begin[self._order] = begins
        self.earlier = np.empty(len(keys), np.uint8)
        self.earlier[self._order] = np.minimum(places - begins, _CROWD)

    def before(self, index: int) -> NDArray[np.int32]:
        """The first texts of its bucket, of those that come before it."""
        begin = self._begin[index]
        return self._order[begin : begin + self.earlier[index]]


def _bands(similarity: float) -> tuple[int, int]:
    """How many bands of how many rows: the longest bands that miss as few as promised."""
    for rows in range(_PERMUTATIONS // 2, 1, -1):
        count = _PERMUTATIONS // rows
        if (1 - similarity**rows) ** count <= _MISSED:
            return count, rows
    return _PERMUTATIONS, 1


def _odd_numbers(count: int) -> Hashes:
    return np.random.RandomState(_SEED).randint(0, 1 << 63, count, np.uint64) * np.uint64(2) + np.uint64(1)


def _groups(text: str) -> Hashes:
    """Sorted hashes of the different groups of words, shape [G]."""
    words = normalize("NFC", normalize("NFC", text).casefold()).split()
    begins = range(max(len(words) - _GROUP, 0) + 1 if words else 0)
    groups = {" ".join(words[begin : begin + _GROUP]) for begin in begins}
    hashes = array("Q")
    for group in groups:
        hashes.frombytes(hashlib.blake2b(group.encode("utf-8", "surrogatepass"), digest_size=8).digest())
    return np.sort(np.frombuffer(hashes, np.uint64))
