"""What is written comes back, and nothing else is read."""

from __future__ import annotations

import math
from collections import UserDict
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.adapters.run import plain_json

KEYS = st.text().filter(lambda key: key != "$float")
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
PLAIN = st.recursive(LEAVES, lambda part: st.lists(part) | st.dictionaries(KEYS, part), max_leaves=20)


def types(value: Any) -> Any:
    """The types of a value, and of all in it; a float with the sign of its zero."""
    if isinstance(value, dict):
        return {key: types(item) for key, item in value.items()}
    if isinstance(value, list):
        return [types(item) for item in value]
    return (type(value), math.copysign(1, value)) if isinstance(value, float) else type(value)


@given(PLAIN)
def test_plain_data_comes_back(value: Any) -> None:
    again = plain_json.loads(plain_json.dumps(value))
    assert (again, types(again)) == (value, types(value))
    assert plain_json.loads(plain_json.canonical(value)) == value


def test_no_number_comes_back() -> None:
    assert plain_json.dumps([math.nan]) == b'[{"$float": "nan"}]\n'
    assert math.isnan(plain_json.loads(b'[{"$float": "nan"}]')[0])


def test_the_order_of_keys_comes_back() -> None:
    assert list(plain_json.loads(plain_json.dumps({"b": 1, "a": 2}))) == ["b", "a"]
    assert plain_json.canonical({"b": 1, "a": 2}) == plain_json.canonical({"a": 2, "b": 1})


def test_tuples_become_lists_and_mappings_objects() -> None:
    assert (
        plain_json.dumps({"a": (1, MappingProxyType({"b": 2}), UserDict())}) == b'{"a": [1, {"b": 2}, {}]}\n'
    )


@pytest.mark.parametrize("value", [{1: 2}, {None: 1}, {"$float": "inf"}, {1, 2}, b"x", object(), [1j]])
def test_what_is_not_plain_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        plain_json.dumps(value)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"1 2", b"NaN", b"Infinity", b"-Infinity", b"\xff", "è".encode(), b"[" * 10**6),
        *(b'{"a": 1, "a": 1}', b'{"$float": 1}', b'{"$float": "1"}', b'{"$float": []}'),
        b'{"$float": "inf", "a": 1}',
    ],
    ids=lambda content: repr(content[:24]),
)
def test_what_it_does_not_write_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (json's own error is one, of no constant text)
        plain_json.loads(content)


def test_what_other_programs_read_has_no_number_that_json_lacks() -> None:
    value = {
        "a": math.nan,
        "b": [1.5, -math.inf, (math.inf, True)],
        "c": UserDict({"d": math.nan}),
        "e": "nan",
    }
    expected = {"a": None, "b": [1.5, None, [None, True]], "c": {"d": None}, "e": "nan"}
    assert plain_json.finite(value) == expected
