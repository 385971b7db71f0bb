r"""Numbers as people write results, and whether two are the same.

42, 1,000, -0.5, 3.2e-8        also with $ before or a unit behind
4.2 \times 10^{-3}, 10^6
1/2, \frac{1}{2}, 3\frac12     reduced, unless the reference is written so
50%, 50\%                      only where the reference has a percent sign
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

_TOLERANCE = Fraction(1, 10**6)
_LONGEST = 400
_BARE_UNITS = "mm|cm|km|m|mg|kg|g|ml|s|h|Hz|hr|hrs|ft|in|mi|lb|lbs|oz"
_TEXT = r"\\(?:text|textrm|textbf|mathrm|mbox)\{(?P<text>[A-Za-z ./]*)\}"
_UNIT = re.compile(
    rf"(?:\\[ ,;!]|[ ~])*(?:{_TEXT}|(?P<words>[A-Za-z]{{3,}}(?: [A-Za-z]+)*)|(?:{_BARE_UNITS})"
    r"|°|\^\{?\\circ\}?|\\degree)(?:\^\{?[23]\}?)?\s*\Z"
)
_MEANS_MORE = re.compile(
    r"hundred|thousand|million|billion|trillion|dozen|percent|times|plus|minus|over|squared|cubed|half"
    r"|factorial|\b(?:or|and|not|to|by|of)\b",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"\s*\\?%\s*\Z")
_DIGITS = r"(?:\d{1,3}(?:(?:,|\{,\}|\\!,\\!)\d{3})+|\d+)"
_DECIMAL = rf"(?:{_DIGITS}(?:\.\d*)?|\.\d+)"
_POWER_OF_TEN = r"10\s*\^\s*(?:\{\s*([-+]?\d{1,3})\s*\}|([-+]?\d{1,3}))"
_PLAIN = re.compile(rf"({_DECIMAL})(?:[eE]([-+]?\d{{1,3}}))?")
_SCIENTIFIC = re.compile(rf"(?:({_DECIMAL})\s*(?:\\times|\\cdot|[*×·])\s*)?{_POWER_OF_TEN}")
_SLASHED = re.compile(r"(?:(\d+)\s+)?(\d+)\s*/\s*(-?\d+)")
_FRACTION = re.compile(r"(\d+)?\s*\\[dt]?frac\s*(?:(\d)\s*(\d)|\{\s*(-?\d+)\s*\}\s*\{\s*(-?\d+)\s*\})")


@dataclass(frozen=True, slots=True)
class Number:
    """A number, and how it is written.

    Attributes:
        reduced: no fraction, or one that cannot be shortened.
        percent: it has a percent sign; ``value`` is what stands before it.
    """

    value: Fraction
    reduced: bool = True
    percent: bool = False


def number_of(text: str) -> Number | None:
    """The number that a text is; None where it is more, less or something else."""
    if len(text) > _LONGEST:
        return None
    bare = _without_unit(text.strip())
    percent = _PERCENT.search(bare)
    if percent:
        bare = bare[: percent.start()]
    bare = _without_marks(bare)
    sign = -1 if bare[:1] in ("-", "−") else 1
    found = _unsigned(bare[1:].lstrip() if bare[:1] in ("-", "−", "+") else bare)
    return Number(sign * found.value, found.reduced, bool(percent)) if found else None


def _without_unit(text: str) -> str:
    unit = _UNIT.search(text)
    if unit is None or _MEANS_MORE.search(unit["text"] or unit["words"] or ""):
        return text
    return text[: unit.start()]


def _without_marks(text: str) -> str:
    bare = text.strip()
    while len(bare) > 1 and bare[0] + bare[-1] in ("()", "{}"):
        bare = bare[1:-1].strip()
    return re.sub(r"\A([-+−]?)\\?\$", r"\1", bare).strip()


def _unsigned(text: str) -> Number | None:
    if found := _PLAIN.fullmatch(text):
        return Number(_decimal(found[1]) * _ten_to(found[2]))
    if found := _SCIENTIFIC.fullmatch(text):
        return Number(_decimal(found[1] or "1") * _ten_to(found[2] or found[3]))
    if found := _SLASHED.fullmatch(text):
        return _fraction(found[1], found[2], found[3])
    if found := _FRACTION.fullmatch(text):
        return _fraction(found[1], found[2] or found[4], found[3] or found[5])
    return None


def _decimal(text: str) -> Fraction:
    return Fraction(re.sub(r"[^\d.]", "", text).rstrip("."))


def _ten_to(exponent: str | None) -> Fraction:
    return Fraction(10) ** int(exponent or 0)


def _fraction(whole: str | None, above: str, below: str) -> Number | None:
    over, under = int(above), int(below)
    if not under:
        return None
    reduced = abs(under) > 1 and math.gcd(over, under) == 1 and not (whole and over >= under)
    return Number(int(whole or 0) + Fraction(over, under), reduced)


def same_number(answer: Number, reference: Number) -> bool:
    """Whether they agree to one part in a million; whole numbers agree altogether.

    Where the reference is in percent, 50, 50% and 0.5 are one; otherwise a percent sign is wrong.
    """
    if answer.percent and not reference.percent:
        return False
    if reference.percent and not answer.percent:
        return _near(answer.value, reference.value) or _near(answer.value, reference.value / 100)
    return _near(answer.value, reference.value)


def _near(one: Fraction, other: Fraction) -> bool:
    if one.denominator == other.denominator == 1:
        return one == other
    return abs(one - other) <= _TOLERANCE * abs(other)
