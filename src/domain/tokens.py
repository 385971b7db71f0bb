"""A conversation as tokens: what the model reads, and which of them count in the loss."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, zip_longest


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One training row.

    Attributes:
        ids: token ids, shape [T].
        trained: 1 where the token is a label, 0 elsewhere, shape [T]. The first token is never one: nothing
            comes before it to predict it from.
        truncated: whether tokens were cut off to fit.
    """

    ids: array[int]
    trained: bytes
    truncated: bool = False

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def trained_tokens(self) -> int:
        return sum(self.trained)


def token_row(ids: Sequence[int], trained: Sequence[bool], *, truncated: bool = False) -> TokenRow:
    """A row from plain sequences of the same length T."""
    mask = bytearray(map(bool, trained))
    if mask:
        mask[0] = 0
    return TokenRow(array("i", ids), bytes(mask), truncated)


def truncate(row: TokenRow, max_tokens: int) -> TokenRow:
    """The ``max_tokens`` tokens in a row with the most trained ones; the first of them where several have."""
    if len(row) <= max_tokens:
        return row
    before = [0, *accumulate(row.trained)]
    # A part's first token is no label: nothing of the part comes before it.
    labels = [before[at + max_tokens] - before[at + 1] for at in range(len(row) - max_tokens + 1)]
    start = labels.index(max(labels))
    keep = slice(start, start + max_tokens)
    return token_row(row.ids[keep], list(map(bool, row.trained[keep])), truncated=True)


def split(row: TokenRow, max_tokens: int) -> list[TokenRow]:
    """The row in parts of at most ``max_tokens``; those without anything trained are left out."""
    if len(row) <= max_tokens:
        return [row]
    cuts = range(0, len(row), max_tokens)
    parts = [
        token_row(row.ids[at : at + max_tokens], list(map(bool, row.trained[at : at + max_tokens])))
        for at in cuts
    ]
    return [part for part in parts if part.trained_tokens]


_REFERENCE = b"\xff" * 4
"""Before a reference: no row is of 2^32 - 1 tokens, so that it cannot be taken for one."""


class Fingerprint:
    """A sha256 over rows, one after the other: tokens, masks, and what a reward compares an answer with."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, row: TokenRow, reference: str = "") -> None:
        """Takes the next row in.

        Args:
            reference: as text; a row without one has the print that it had before references were looked at.
        """
        for part in (len(row).to_bytes(4, "little"), row.ids.tobytes(), row.trained):
            self._digest.update(part)
        if reference:
            self._digest.update(
                _REFERENCE + hashlib.sha256(reference.encode("utf-8", "surrogatepass")).digest()
            )

    def hexdigest(self) -> str:
        """Of the rows so far."""
        return self._digest.hexdigest()


def fingerprint(rows: Iterable[TokenRow], references: Iterable[str] = ()) -> str:
    """A sha256 over tokens and masks, in order: the identity of a tokenised source.

    Args:
        references: of the rows, as text; none: no row has one.
    """
    digest = Fingerprint()
    for row, reference in zip_longest(rows, references, fillvalue=""):
        assert isinstance(row, TokenRow)
        digest.add(row, reference)
    return digest.hexdigest()
