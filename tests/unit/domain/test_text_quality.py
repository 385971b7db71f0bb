"""Figures of a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.text_quality import content_of, in_band, overlap, request_id, variety, words_of


def test_words() -> None:
    assert words_of("It's a_b, 列表 x2!") == ["it", "s", "a", "b", "列", "表", "x2"]


@pytest.mark.parametrize(
    "flattery",
    [
        "What a great question!",
        "You are absolutely right.",
        "I hope this helps!",
        "Ottima domanda!",
        "Feel free to ask.",
    ],
)
def test_flattery_says_nothing(flattery: str) -> None:
    assert content_of(flattery) == ""
    assert content_of(f"{flattery} Use a list.") == "Use a list."


def test_what_is_said_again_says_nothing() -> None:
    assert content_of("Use a list. use a list! Use a set.") == "Use a list.\nUse a set."


@pytest.mark.parametrize(
    ("length", "value"), [(0, 0), (5, 0.5), (10, 1), (20, 1), (30, 0.5), (40, 0), (1_000, 0)]
)
def test_the_band(length: int, value: float) -> None:
    assert in_band(length, 10, 20) == pytest.approx(value)


def test_variety() -> None:
    assert variety(["a", "b", "c", "d", "e", "f"]) == 1
    assert variety(["a", "b"]) == 1
    assert variety(["a", "b", "c"] * 20) < 0.1


words = st.lists(st.sampled_from("abcdef"), max_size=12)


@given(words, words)
def test_overlap_is_symmetric_and_full_for_the_same_words_alone(one: list[str], other: list[str]) -> None:
    value = overlap(one, other)
    assert 0 <= value <= 1
    assert value == overlap(other, one)
    assert (value == 1) == (sorted(one) == sorted(other) and bool(one))


@given(words, st.integers(1, 20))
def test_padding_never_raises_overlap(one: list[str], more: int) -> None:
    assert overlap([*one, *["z"] * more], one) <= overlap(one, one)


def test_an_id_hangs_on_every_text_and_where_each_ends() -> None:
    ids = {request_id("ab", "c"), request_id("a", "bc"), request_id("abc"), request_id("ab", "d")}
    assert len(ids) == 4
    assert request_id("\ud800") == request_id("\ud800")
