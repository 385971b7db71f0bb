"""Which completions are drawn together: as many as the memory for their keys and values allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """Completions of one prompt that are drawn in one batch.

    Attributes:
        prompt: which one.
        rows: which of its completions.
    """

    prompt: int
    rows: range


@dataclass(frozen=True, slots=True)
class Room:
    """What completions take and may take.

    Attributes:
        bytes: the most that a batch may hold; one completion is drawn whatever it takes.
        a_token: bytes that are kept of a token.
        a_row: bytes that a completion takes besides.
        shared: whether a prompt is kept once for its completions, which different prompts then can be beside.
    """

    bytes: int
    a_token: int
    a_row: int
    shared: bool


def batches(lengths: Sequence[int], counts: Sequence[int], new: int, room: Room) -> Iterator[list[Share]]:
    """Cuts completions into batches, in order.

    Args:
        lengths: of each prompt.
        counts: how many completions of each.
        new: tokens that a completion may have.
    """
    batch: list[Share] = []
    left = room.bytes
    for prompt, (length, count) in enumerate(zip(lengths, counts, strict=True)):
        once, each = _bytes(length, new, room)
        done = 0
        while done < count:
            fits = max(0, left - once) // each
            if (fits < count - done and batch) or (batch and not room.shared):
                yield batch
                batch, left = [], room.bytes
                continue
            rows = range(done, min(count, done + max(1, fits)))
            batch.append(Share(prompt, rows))
            left -= once + each * len(rows)
            done = rows.stop
    if batch:
        yield batch


def _bytes(length: int, new: int, room: Room) -> tuple[int, int]:
    """What is taken once for a prompt, and for each completion of it."""
    own = room.a_row + room.a_token * (new if room.shared else length + new)
    return room.a_token * length, max(1, own)
