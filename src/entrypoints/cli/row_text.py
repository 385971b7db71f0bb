"""A row of tokens as text: in colours on a terminal, between brackets elsewhere, so that nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import click

from ...application.preview_data import Piece

TRAINED = "⟦", "⟧"
"""Around what is trained, where there are no colours."""

# Controls of terminals, halves of characters, what turns the direction of text around, and our own brackets.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\u27e6\u27e7\ufeff\ud800-\udfff]"
)
_SPACES_AT_AN_END = re.compile(r" +(?=\n|\Z)")


def visible(text: str) -> str:
    """The text with a picture or the number of every character that controls, line ends and tabs kept."""
    return _UNSEEN.sub(lambda found: _picture(ord(found[0])), text)


def _picture(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"\\u{code:04x}"


def marked(pieces: Sequence[Piece]) -> str:
    """Plain text; what is trained stands between brackets."""
    return "".join(
        f"{TRAINED[0]}{_whole(text)}{TRAINED[1]}" if trained else text for trained, _, text in _runs(pieces)
    )


def coloured(pieces: Sequence[Piece]) -> str:
    """What is trained is bold and green, the rest is dim; special tokens are cyan, or underlined."""
    return "".join(
        _styled(_whole(text), fg="green", bold=True, underline=special or None)
        if trained
        else _styled(text, fg="cyan" if special else None, dim=None if special else True)
        for trained, special, text in _runs(pieces, apart=True)
    )


def _runs(pieces: Sequence[Piece], *, apart: bool = False) -> Iterator[tuple[bool, bool, str]]:
    """Trained or not, special or not (never, unless they are to stand apart), and the text."""
    for (trained, special), run in groupby(pieces, lambda one: (one.trained, apart and one.special)):
        # A sequence can begin in one token and end in the next, so the whole run is looked at.
        yield trained, special, visible("".join(piece.text for piece in run))


def _whole(text: str) -> str:
    """With line ends and the blanks before them to be seen."""
    return _SPACES_AT_AN_END.sub(lambda found: "·" * len(found[0]), text).replace("\n", "⏎\n")


def _styled(text: str, **style: Any) -> str:
    """Line by line, as pagers want it."""
    return "\n".join(click.style(line, **style) if line else "" for line in text.split("\n"))
