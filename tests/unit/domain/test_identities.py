"""A set of 64-bit numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.identities import IdentitySet


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 20)))
def test_it_knows_what_was_put_in(values: list[int]) -> None:
    mine, theirs = IdentitySet(), set[int]()
    for value in (one or 1 for one in values):
        assert mine.add(value) == (value not in theirs)
        theirs.add(value)
        assert value in mine
    assert len(mine) == len(theirs)
    assert all((value in mine) == (value in theirs) for value in range(1, 30))


def test_it_grows() -> None:
    mine = IdentitySet()
    step = 0x9E3779B97F4A7C15
    values = [number * step % 2**64 for number in range(1, 5000)]
    assert all(mine.add(value) for value in values)
    assert not any(mine.add(value) for value in values)
    assert len(mine) == len(values)
    assert 12345 not in mine
