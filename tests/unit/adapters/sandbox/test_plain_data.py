from __future__ import annotations

import json
from collections import Counter, OrderedDict, namedtuple
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.adapters.sandbox.inside.plain_data import NotPlain, TooMuch, decode, encode, same

hashable = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.complex_numbers(allow_nan=False)
    | st.decimals(allow_nan=False)
    | st.fractions()
)
values = st.recursive(
    hashable,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(hashable, inner)
        | st.sets(hashable)
        | st.frozensets(hashable)
    ),
    max_leaves=20,
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def travelled(value: Any) -> Any:
    return decode(json.loads(json.dumps(encode(value))))


@given(values)
def test_a_value_arrives_as_it_was_with_its_types(value: Any) -> None:
    assert repr(travelled(value)) == repr(value) or same(travelled(value), value)


@given(anything)
def test_whatever_is_sent_is_a_plain_value_or_refused(sent: Any) -> None:
    try:
        value = decode(sent)
    except NotPlain:
        return
    assert type(value).__module__ in ("builtins", "decimal", "fractions")


class Colour(IntEnum):
    RED = 1


class Loud(str):
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("given", "arrived"),
    [
        (Colour.RED, 1),
        (Loud("a"), "a"),
        (Point(1, 2), (1, 2)),
        (Counter("aab"), {"a": 2, "b": 1}),
        (OrderedDict(a=1), {"a": 1}),
        (10**4000, 10**4000),
        (-0.0, -0.0),
        ("\ud800", "\ud800"),
    ],
)
def test_a_subclass_arrives_as_the_plain_value_it_holds(given: Any, arrived: Any) -> None:
    value = travelled(given)
    assert type(value) is type(arrived)
    assert repr(value) == repr(arrived) or value == arrived


def test_an_integer_of_any_length_travels() -> None:
    assert travelled(-(10**5000)) == -(10**5000)


def test_nan_and_infinities_travel() -> None:
    assert same(
        travelled([float("nan"), float("inf"), -float("inf")]), [float("nan"), float("inf"), -float("inf")]
    )


def test_an_iterator_arrives_as_one() -> None:
    assert list(travelled(x * x for x in range(3))) == [0, 1, 4]


@pytest.mark.parametrize("value", [object(), len, int, range(3), {}.keys(), ValueError()])
def test_what_is_no_data_is_refused(value: Any) -> None:
    with pytest.raises(NotPlain):
        encode(value)


def test_what_goes_on_and_on_is_refused() -> None:
    def forever() -> Any:
        while True:
            yield 0

    round_and_round: list[Any] = []
    round_and_round.append(round_and_round)
    for value in (forever(), round_and_round, [0] * 300_000):
        with pytest.raises(TooMuch):
            encode(value)


def test_objects_that_stay_are_spoken_of_by_number() -> None:
    thing = object()
    sent = encode([thing], lambda value: 7 if value is thing else None)
    assert decode(sent, lambda number: f"number {number}") == ["number 7"]
    with pytest.raises(NotPlain):
        decode(sent)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        ("1", 1),
        ([1], [1, 2]),
        ([1, 2], [1]),
        ({1: 0}, {True: 0}),
        ({1}, {True}),
        ([1], (1,)),
        (None, False),
        (0.1, 0.2),
        (float("nan"), 0.0),
        (Decimal(1), Fraction(1)),
    ],
)
def test_values_of_other_types_or_lengths_are_not_the_same(one: Any, other: Any) -> None:
    assert not same(one, other)


def test_rounding_is_forgiven_and_a_tuple_for_a_list() -> None:
    assert same(0.1 + 0.2, 0.3)
    assert same((1, [2.0]), [1, [2.0]])
    assert same(float("nan"), float("nan"))
