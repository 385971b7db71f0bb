"""Which rows are wanted, and what names all that decides a source's rows."""

from __future__ import annotations

from typing import Any

import pytest

from cesello.domain.source import identity_of, unwanted

ROW = {"language": "it", "score": 3, "checked": True, "empty": None, "cell": "3", "flag": "true"}


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"language": "it"},
        {"language": ["en", "it"]},
        {"language": "it", "score": 3},
        {"score": 3.0},
        {"checked": True},
        {"cell": 3},
        {"cell": "3"},
        {"flag": True},
    ],
)
def test_a_row_that_is_wanted(where: dict[str, Any]) -> None:
    assert unwanted(ROW, where) is None


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ({"language": "en"}, "language is not en"),
        ({"language": ["en", "fr"]}, "language is not en or fr"),
        ({"language": "it", "score": 4}, "score is not 4"),
        ({"score": "3"}, "score is not 3"),
        ({"score": True}, "score is not true"),
        ({"checked": 1}, "checked is not 1"),
        ({"checked": False}, "checked is not false"),
        ({"empty": "x"}, "no empty"),
        ({"langauge": "it"}, "no langauge"),
    ],
)
def test_a_row_that_is_not_wanted_says_why(where: dict[str, Any], reason: str) -> None:
    assert unwanted(ROW, where) == reason


def test_an_identity_hangs_on_every_part() -> None:
    parts: list[tuple[Any, ...]] = [
        ("file", ["a", 1]),
        ("file", ["a", 2]),
        ("file", "a", 1),
        ("hub", ["a", 1]),
        ("file",),
        ("file", None),
    ]
    assert len({identity_of(*each) for each in parts}) == len(parts)
    assert identity_of({"a": 1, "b": 2}) == identity_of({"b": 2, "a": 1})


def test_an_identity_is_the_same_in_every_process() -> None:
    assert identity_of("file", [["è", 1]]) == (
        "ff12ec78c0c737d09430340defde63a818dc25df6b3158a7dc27bea48a371668"
    )
