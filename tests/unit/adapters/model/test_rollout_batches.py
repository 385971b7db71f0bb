from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cesello.adapters.model.rollout_batches import Room, Share, batches

GROUPS = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 9)), max_size=8)


def bytes_of(batch: list[Share], lengths: list[int], new: int, room: Room) -> int:
    total = 0
    for share in batch:
        prompt, own = lengths[share.prompt], new
        if room.shared:
            total += room.a_token * prompt
        else:
            own += prompt
        total += len(share.rows) * (room.a_token * own + room.a_row)
    return total


@given(GROUPS, st.integers(1, 30), st.integers(1, 3000), st.booleans())
def test_every_completion_is_drawn_once_in_order_and_batches_keep_to_their_bytes(
    groups: list[tuple[int, int]], new: int, most: int, shared: bool
) -> None:
    lengths, counts = [length for length, _ in groups], [count for _, count in groups]
    room = Room(most, 3, 5, shared)
    cut = list(batches(lengths, counts, new, room))
    drawn = [(share.prompt, at) for batch in cut for share in batch for at in share.rows]
    assert drawn == [(prompt, at) for prompt, count in enumerate(counts) for at in range(count)]
    for batch in cut:
        rows = sum(len(share.rows) for share in batch)
        assert rows == 1 or bytes_of(batch, lengths, new, room) <= most
        assert shared or len(batch) == 1


def test_all_that_fits_is_one_batch() -> None:
    room = Room(2 * 10 + 2 * 3 * (5 + 4) + 10 * 2, 1, 4, shared=True)
    assert list(batches([10, 20], [3, 3], 5, room)) == [[Share(0, range(3)), Share(1, range(3))]]


def test_a_group_is_not_split_where_the_next_batch_holds_it() -> None:
    room = Room(100, 1, 0, shared=True)
    assert list(batches([10, 10], [6, 6], 10, room)) == [[Share(0, range(6))], [Share(1, range(6))]]


def test_a_large_group_is_split() -> None:
    room = Room(50, 1, 0, shared=True)
    assert list(batches([10], [6], 10, room)) == [[Share(0, range(4))], [Share(0, range(4, 6))]]
