"""How drawn rows become the forward passes of a training.

rows      ``batch_size`` rows at a time, in the order drawn
grouped   rows of like length together, so that padding them to one width wastes little
packed    sequences filled up to a length with as many whole rows as fit, so that every pass costs the same

Grouping and packing move rows within a window of the order only, so the mixture keeps its shares from window
to window. Everything is a pure function of (lengths, spec, seed).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, islice
from typing import TypeVar

from .permutation import permutation

_Item = TypeVar("_Item")


class Batching(StrEnum):
    """How rows are put together."""

    ROWS = "rows"
    GROUPED = "grouped"
    PACKED = "packed"


@dataclass(frozen=True, slots=True)
class BatchSpec:
    """How forward passes are filled.

    Attributes:
        batch_size: rows of one forward pass; when packing, sequences of ``max_tokens``.
        max_tokens: what a packed sequence holds at most; no row is longer.
        window: rows that may change places with each other.
    """

    method: Batching = Batching.ROWS
    batch_size: int = 4
    max_tokens: int = 1024
    window: int = 1024
    seed: int = 0


def micro_batches(lengths: Sequence[int], spec: BatchSpec, window_index: int) -> Iterator[list[int]]:
    """The forward passes of one window.

    Args:
        lengths: of the window's rows, in tokens, in the order drawn.
        window_index: which window of the order it is; the seed of its shuffle.

    Yields:
        Positions within the window, every one of them once.
    """
    if spec.method is Batching.ROWS:
        yield from _cut(range(len(lengths)), spec.batch_size)
        return
    if spec.method is Batching.GROUPED:
        by_length = sorted(range(len(lengths)), key=lengths.__getitem__)
        passes = list(_cut(by_length, spec.batch_size))
    else:
        packs = best_fit_decreasing(lengths, spec.max_tokens)
        passes = [list(chain(*group)) for group in _cut(packs, spec.batch_size)]
    # Both ways leave the longest rows at one end; a training should not meet them all at once.
    for index in permutation(len(passes), f"{spec.seed}/window/{window_index}"):
        yield passes[index]


def best_fit_decreasing(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Rows packed whole into as few sequences as this rule finds, at most 11/9 of the fewest plus one.

    The longest row goes first, each into the fullest sequence that still has room (D. S. Johnson,
    "Near-optimal bin packing algorithms", MIT 1973).

    Args:
        lengths: in tokens, each at most ``capacity``.

    Returns:
        For every sequence the positions of its rows, as they were drawn.
    """
    packs: list[list[int]] = []
    room: list[tuple[int, int]] = []  # (tokens left, pack), ascending
    for position in sorted(range(len(lengths)), key=lambda at: (-lengths[at], at)):
        place = bisect_left(room, (lengths[position], 0))
        if place == len(room):
            left, pack = capacity, len(packs)
            packs.append([])
        else:
            left, pack = room.pop(place)
        packs[pack].append(position)
        insort(room, (left - lengths[position], pack))
    return [sorted(pack) for pack in packs]


def _cut(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part
