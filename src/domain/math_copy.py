"""Whether a result was copied out of the question: a task equals its answer, as mathematics."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[A-Za-z]+|\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\*\*|\S", re.DOTALL)
_BRACKETS = {f"\\{mark}" for mark in " ,;:!()[]$~"} | set("${}()*·×&")
_NOTHING = _BRACKETS | {"\\left", "\\right", "\\big", "\\Big", "\\cdot", "\\times", "\\displaystyle"}
_SAME = {
    "\\dfrac": "\\frac",
    "\\tfrac": "\\frac",
    "**": "^",
    "−": "-",
    "–": "-",
    "÷": "/",
    "\\div": "/",
    "√": "\\sqrt",
    "π": "\\pi",
}
_FRACTION = re.compile(r"\\[dt]?frac\s*(?:\{([^{}]*)\}|(\w))\s*(?:\{([^{}]*)\}|(\w))")
_NESTED = 3


def is_copied(answer: str, reference: str, question: str) -> bool:
    """Whether a result stands in the question, and is not simply how the reference is written.

    Blanks, brackets, signs of multiplication and the two ways to write a fraction make no difference.
    Where the reference stands in the question too, only what is longer than it is a copy.
    """
    given, wanted, asked = _tokens(answer), _tokens(reference), _tokens(question)
    if not given or given == wanted or not _holds(asked, given):
        return False
    return len(given) > len(wanted) or not _holds(asked, wanted)


def _holds(tokens: list[str], part: list[str]) -> bool:
    return f"\n{chr(10).join(part)}\n" in f"\n{chr(10).join(tokens)}\n"


def _tokens(text: str) -> list[str]:
    for _ in range(_NESTED):
        text = _FRACTION.sub(_slashed, text)
    found = (_SAME.get(piece[0], piece[0]) for piece in _TOKEN.finditer(text))
    return [_plain(token) for token in found if token not in _NOTHING]


def _slashed(fraction: re.Match[str]) -> str:
    above, below = fraction[1] or fraction[2] or "", fraction[3] or fraction[4] or ""
    return f" {above}/{below} "


def _plain(token: str) -> str:
    """A number without what does not change it."""
    if not token[0].isdigit():
        return token
    token = token.replace(",", "")
    return token.rstrip("0").rstrip(".") if "." in token else token
