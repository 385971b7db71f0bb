from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.proposer_choice import shares
from cesello.domain.statistics import Beta


@given(st.integers(0, 50), st.integers(1, 4), st.integers(0, 99))
def test_every_slot_is_given_away_once(slots: int, count: int, seed: int) -> None:
    names = [f"p{at}" for at in range(count)]
    given_away = shares(names, {name: Beta() for name in names}, slots, Random(seed))
    assert sum(given_away.values()) == slots
    assert list(given_away) == [name for name in names if name in given_away]


def test_the_better_gets_more_and_the_worse_is_not_forgotten() -> None:
    record = {"good": Beta(9, 3), "bad": Beta(2, 6)}
    given_away = shares(["bad", "good"], record, 500, Random(1))
    assert given_away["good"] > 400 > given_away["bad"] > 0


def test_nobody_gets_nothing() -> None:
    assert shares([], {}, 5, Random(0)) == {}
