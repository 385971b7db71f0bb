"""When calls are the right ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.conversation import ToolCall
from cesello.domain.function_match import first_choice, same_calls, same_functions

names = st.sampled_from(["add", "find", "send"])
keys = st.sampled_from(["a", "b", "c"])
plain = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text("ab -_'\"", max_size=4)
choices: st.SearchStrategy[Any] = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(keys, st.lists(inner, min_size=1, max_size=2))
    ),
    max_leaves=4,
)
objects = st.dictionaries(keys, st.lists(choices, min_size=1, max_size=3), max_size=3)
references = st.builds(lambda name, arguments: {name: arguments}, names, objects)


def call(name: str = "f", /, **arguments: Any) -> ToolCall:
    return ToolCall(name, json.dumps(arguments))


def accepts(wanted: dict[str, list[Any]], **given_: Any) -> bool:
    return same_calls([call(**given_)], [{"f": wanted}])


@given(references)
def test_the_first_choice_of_a_reference_matches_it(reference: dict[str, Any]) -> None:
    made = [first_choice(reference)]
    assert same_calls(made, [reference])
    assert same_functions(made, [reference])


@given(
    st.lists(references, min_size=1, max_size=4).flatmap(
        lambda all_: st.tuples(st.just(all_), st.permutations(all_))
    )
)
def test_calls_come_in_any_order(pair: tuple[list[Any], list[Any]]) -> None:
    reference, shuffled = pair
    made = [first_choice(one) for one in shuffled]
    assert same_calls(made, reference)
    assert same_functions(made, reference)


def test_a_call_that_fits_two_references_leaves_each_to_whom_needs_it() -> None:
    reference = [{"f": {"a": [1, 2]}}, {"f": {"a": [1]}}]
    assert same_calls([call(a=1), call(a=2)], reference)
    assert same_calls([call(a=2), call(a=1)], reference)
    assert same_calls([call(a=1), call(a=1)], reference)
    assert not same_calls([call(a=2), call(a=2)], reference)


def test_calls_and_references_are_as_many() -> None:
    reference = [{"f": {"a": [1]}}]
    assert not same_calls([], reference)
    assert not same_calls([call(a=1), call(a=1)], reference)
    assert not same_functions([call(a=1), call(a=1)], reference)


def test_another_function_is_wrong() -> None:
    assert not same_calls([call("g", a=1)], [{"f": {"a": [1]}}])
    assert not same_functions([call("g", a=1)], [{"f": {"a": [1]}}])


def test_an_optional_argument_may_be_left_out_and_a_needed_one_not() -> None:
    assert accepts({"a": [1], "b": ["kg", ""]}, a=1)
    assert accepts({"a": [1], "b": ["kg", ""]}, a=1, b="kg")
    assert not accepts({"a": [1], "b": ["kg", ""]}, a=1, b="lb")
    assert not accepts({"a": [1], "b": ["kg"]}, a=1)


def test_an_extra_argument_is_wrong() -> None:
    assert not accepts({"a": [1]}, a=1, b=2)


@pytest.mark.parametrize(
    ("wanted", "given_"),
    [
        ("New York", "new york"),
        ("New York, NY", "NewYork NY"),
        ("a-b_c/d.e^f*g", "abcdefg"),
        ("it's", 'it"s'),
        (2, 2.0),
        (2.5, 2.5),
        ([1, "Two"], [1, "two"]),
        ([[1], [2]], [[1], [2]]),
        ({"x": [1, 2], "y": ["", "z"]}, {"x": 2}),
        ([{"x": ["A"]}], [{"x": "a"}]),
        (True, True),
        (None, None),
        ({}, {}),
        ([], []),
    ],
)
def test_values_that_are_the_same(wanted: Any, given_: Any) -> None:
    assert accepts({"a": [wanted]}, a=given_)


@pytest.mark.parametrize(
    ("wanted", "given_"),
    [
        ("New York", "Boston"),
        (2, 3),
        (2, "2"),
        ("2", 2),
        (1, True),
        (True, 1),
        (0, False),
        (False, 0),
        (True, "true"),
        ([1, 2], [2, 1]),
        ([1, 2], [1]),
        ([1], 1),
        (1, [1]),
        ({"x": [1]}, {"x": 1, "y": 2}),
        ({"x": [1]}, {}),
        ({"x": [1]}, [1]),
        ([{"x": [1]}], [{"x": 2}]),
        (None, 0),
        (0, None),
        ("", None),
    ],
)
def test_values_that_are_not_the_same(wanted: Any, given_: Any) -> None:
    assert not accepts({"a": [wanted]}, a=given_)


def test_the_first_choice_leaves_out_what_may_be_left_out() -> None:
    wanted: dict[str, dict[str, list[Any]]] = {
        "f": {"a": [{"x": [1, 2], "y": ["", 3]}], "b": ["", 1], "c": [["é"]]}
    }
    assert first_choice(wanted) == ToolCall("f", '{"a": {"x": 1}, "c": ["é"]}')
