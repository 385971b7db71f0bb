"""A seeded permutation: the same on any machine and in any version of Python."""

from __future__ import annotations

import hashlib
import sys
from array import array

_BUCKET = 1 << 13
"""About so many rows are sorted at a time: a sort that fits the processor's cache is several times faster."""


def permutation(rows: int, key: str) -> array[int]:
    """Rows 0 to ``rows`` - 1 in an order that depends on ``key`` alone.

    Every row gets 64 bits of SHAKE-128 of the key (FIPS 202), and the rows are sorted by them; equal bits
    keep their order. The longer permutation of a key holds the shorter one as a subsequence.

    Args:
        rows: below 2**32.
    """
    bits = array("Q")
    bits.frombytes(hashlib.shake_128(key.encode()).digest(8 * rows))
    if sys.byteorder == "big":
        bits.byteswap()
    depth = (rows // _BUCKET).bit_length()
    buckets = [array("I") for _ in range(1 << depth)]
    for row, value in enumerate(bits):
        buckets[value >> (64 - depth)].append(row)
    order = array("I")
    for bucket in buckets:
        order.extend(sorted(bucket, key=bits.__getitem__))
    return order
