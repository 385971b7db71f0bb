"""Rows as text: nothing of a row is lost, and nothing in it rules the terminal."""

from __future__ import annotations

import re
import unicodedata

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.application.preview_data import Piece
from cesello.entrypoints.cli.row_text import coloured, marked, visible

ROW = [
    Piece((1,), "<|im_start|>", False, True),
    Piece((2,), "user\nhi", False),
    Piece((3,), "yes ", True),
    Piece((4,), "\n", True),
    Piece((5,), "<|im_end|>", True, True),
    Piece((6,), "\n", False),
]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "␛[31mred"),
        ("\x00\x07\x7f\r\n", "␀␇␡␍\n"),
        ("\x9b", "\\u009b"),
        ("a\u202eb", "a\\u202eb"),
        ("half \ud83d", "half \\ud83d"),
        ("tab\tperché 日本 🙂", "tab\tperché 日本 🙂"),
    ],
)
def test_what_cannot_be_seen_is_made_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(st.characters(exclude_categories=()) | st.sampled_from("\x1b\x9b\u202e[m")))
def test_nothing_that_controls_is_left(text: str) -> None:
    left = {unicodedata.category(character) for character in visible(text) if character not in "\n\t"}
    assert not left & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(one) for one in visible(text)} & {"RLO", "LRO", "RLE", "RLI", "PDF"}


def test_without_colours_what_is_trained_stands_between_brackets() -> None:
    assert marked(ROW) == "<|im_start|>user\nhi⟦yes·⏎\n<|im_end|>⟧\n"


def test_colours_tell_trained_special_and_other_tokens_apart() -> None:
    text = coloured(ROW)
    assert click.unstyle(text) == "<|im_start|>user\nhiyes·⏎\n<|im_end|>\n"
    assert click.style("<|im_start|>", fg="cyan") in text
    assert click.style("hi", dim=True) in text
    assert click.style("yes·⏎", fg="green", bold=True) in text
    assert click.style("<|im_end|>", fg="green", bold=True, underline=True) in text


def test_no_style_reaches_over_the_end_of_a_line() -> None:
    for line in coloured(ROW).split("\n"):
        codes = re.findall(r"\x1b\[([0-9;]+)m", line)
        assert not codes or codes[-1] == "0"


pieces = st.builds(
    Piece, st.just((1,)), st.text(st.characters(exclude_characters="⟦⟧⏎·")), st.booleans(), st.booleans()
)


@given(st.lists(pieces))
def test_no_text_is_lost(row: list[Piece]) -> None:
    plain = marked(row).replace("⏎\n", "\n").replace("⟦", "").replace("⟧", "").replace("·", " ")
    assert plain == visible("".join(piece.text for piece in row))
    assert click.unstyle(coloured(row)).replace("⏎\n", "\n").replace("·", " ") == plain
