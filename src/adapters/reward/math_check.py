"""Symbolic equality of two formulas, by the package ``math-verify``; called in a sandboxed process.

Its LaTeX grammar alone is used: the package's other reader hands text to a parser that evaluates it. What
takes too long is ended from outside, so its own alarms are off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from math_verify import LatexExtractionConfig, parse, verify

EQUAL, DIFFERENT = "equal", "different"
UNREADABLE, UNREADABLE_REFERENCE = "unreadable", "unreadable_reference"


def equal(reference: str, answers: Sequence[str]) -> str:
    """Whether every one of the answers equals the reference: one of the four texts above."""
    wanted = _read(reference)
    if not wanted:
        return UNREADABLE_REFERENCE
    try:
        return _compared(wanted, answers)
    except Exception:
        # Whatever the package stumbles over is the answer's doing: its reference could be read.
        return UNREADABLE


def _compared(wanted: Sequence[Any], answers: Sequence[str]) -> str:
    for answer in answers:
        given = _read(answer)
        if not given:
            return UNREADABLE
        if not verify(list(wanted), given, timeout_seconds=0):
            return DIFFERENT
    return EQUAL if answers else UNREADABLE


def _read(text: str) -> list[Any]:
    """The expression in a text, without the text itself, which the package would compare as a last resort."""
    options: dict[str, Any] = {"fallback_mode": "no_fallback", "extraction_mode": "first_match"}
    found = parse(f"${text}$", [LatexExtractionConfig()], parsing_timeout=0, **options)
    return [one for one in found if not isinstance(one, str)][:1]
