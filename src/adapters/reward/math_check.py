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
_TOLERANCE = 1e-6


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
        if not _same(wanted[0], given[0]):
            return DIFFERENT
    return EQUAL if answers else UNREADABLE


def _same(wanted: Any, given: Any) -> bool:
    """The package rounds to six decimals: of two numbers that says nothing where both are small."""
    if getattr(wanted, "is_number", False) and getattr(given, "is_number", False):
        difference, size = abs((wanted - given).evalf(30)), abs(wanted.evalf(30))
        if difference.is_comparable and size.is_comparable and difference > _TOLERANCE * size:
            return False
    return bool(verify([wanted], [given], timeout_seconds=0))


def _read(text: str) -> list[Any]:
    """The expression in a text, without the text itself, which the package would compare as a last resort."""
    options: dict[str, Any] = {"fallback_mode": "no_fallback", "extraction_mode": "first_match"}
    found = parse(f"${text}$", [LatexExtractionConfig()], parsing_timeout=0, **options)
    return [one for one in found if not isinstance(one, str)][:1]
