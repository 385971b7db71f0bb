"""A set of 64-bit identities that costs 16 to 32 bytes each, where Python's own set costs a hundred."""

from __future__ import annotations

from array import array
from collections.abc import Iterable


class IdentitySet:
    """Open addressing with linear probing; the identities are hashes already."""

    def __init__(self, identities: Iterable[int] = ()) -> None:
        self._slots = array("Q", bytes(8 << 10))
        self._used = 0
        for identity in identities:
            self.add(identity)

    def __len__(self) -> int:
        return self._used

    def __contains__(self, identity: int) -> bool:
        return self._slots[self._place(identity or 1)] != 0

    def add(self, identity: int) -> bool:
        """Puts it in; True when it was not there before."""
        identity = identity or 1  # 0 marks a free slot
        place = self._place(identity)
        if self._slots[place]:
            return False
        self._slots[place] = identity
        self._used += 1
        if 2 * self._used > len(self._slots):
            self._grow()
        return True

    def _place(self, identity: int) -> int:
        """Where it is, or the free slot where it belongs."""
        slots, mask = self._slots, len(self._slots) - 1
        place = identity & mask
        while slots[place] not in (0, identity):
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        old, self._slots = self._slots, array("Q", bytes(16 * len(self._slots)))
        for identity in filter(None, old):
            self._slots[self._place(identity)] = identity
