"""YAML as recipes read it: the core schema of YAML 1.2, and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.entrypoints.settings.document import Origin
from cesello.entrypoints.settings.yaml_limits import Mark
from cesello.entrypoints.settings.yaml_text import inline_yaml, read_yaml, write_yaml


def locate(mark: Mark | None) -> str:
    return f"{mark.line + 1}:{mark.column + 1}" if mark else "?"


def value_of(text: str) -> Any:
    document = read_yaml(text, locate)
    assert not document.problems
    return document.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("2E+3", 2000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-3", -3),
        ("010", 10),
        ("0o17", 15),
        ("0xff", 255),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("''", ""),
        ("'1'", "1"),
        ("yes", "yes"),
        ("off", "off"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-01-31", "2026-01-31"),
        ("0b11", "0b11"),
        ("nan", "nan"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_plain_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    found = value_of(f"- {text}")[0]
    assert (found, type(found)) == (value, type(value))


def test_keys_are_text_whatever_they_look_like() -> None:
    assert value_of("1: a\ntrue: b\n1e-4: c\n'': d") == {"1": "a", "true": "b", "1e-4": "c", "": "d"}


def test_an_alias_stands_for_its_value() -> None:
    assert value_of("a: &x [1, {b: 2}]\nc: *x") == {"a": [1, {"b": 2}], "c": [1, {"b": 2}]}


def test_every_value_has_its_origin() -> None:
    document = read_yaml("a:\n  - b: 1\n", locate)
    assert document.origins == {
        (): Origin("1:1", "1:1"),
        ("a",): Origin("1:1", "2:3"),
        ("a", 0): Origin("2:5", "2:5"),
        ("a", 0, "b"): Origin("2:5", "2:8"),
    }


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
)
texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(values)
def test_what_is_written_reads_as_the_same(value: Any) -> None:
    assert value_of(write_yaml([value])) == [value]
    assert value_of(inline_yaml([value])) == [value]


@pytest.mark.parametrize(
    "text",
    ["1e-4", "0o17", ".inf", "true", "null", "~", "", "1", "0x1F", " a", "a: b", "${X}", "a\x85b", "\u2028"],
)
def test_text_that_looks_like_something_else_stays_text(text: str) -> None:
    assert value_of(write_yaml({"key": text})) == {"key": text}
    assert value_of(f"key: {inline_yaml(text)}") == {"key": text}
