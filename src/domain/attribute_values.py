"""What attributes of spans are allowed to be: plain, and not too long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from math import isfinite
from typing import SupportsFloat

from .trace import Value

CHARACTERS_AT_MOST = 16_384
"""Of one value; a longer one is cut."""
VALUES_AT_MOST = 1024
"""Of one sequence."""
ATTRIBUTES_AT_MOST = 128
"""Of one span or event, as OpenTelemetry's limit is by default."""

_PLAIN = frozenset({bool, int, float, str})


def as_told(attributes: Mapping[str, Value] | None) -> dict[str, Value]:
    """A copy; where it is no mapping, its text as the attribute ``attributes``."""
    if attributes is None:
        return {}
    try:
        return dict(attributes)
    except Exception:
        return {"attributes": said(attributes)}


def plain_attributes(attributes: Mapping[str, object]) -> dict[str, Value]:
    """A copy that JSON can hold; what has no value is left out."""
    plain: dict[str, Value] = {}
    for name, value in attributes.items():
        if value is not None and len(plain) < ATTRIBUTES_AT_MOST:
            plain[name if type(name) is str else said(name)] = plain_value(value)
    return plain


def plain_value(value: object) -> Value:
    """As OpenTelemetry has values; single numbers of NumPy and PyTorch, too. What is none, as its text.

    Numbers that JSON has not are told in words, ``NaN`` and ``Infinity``, as in protobuf's JSON mapping.
    """
    kind = type(value)
    if kind is str:
        return value if len(value) <= CHARACTERS_AT_MOST else value[:CHARACTERS_AT_MOST]  # type: ignore[arg-type, index, return-value]
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, float):
        return float(value) if isfinite(value) else _in_words(value)
    if isinstance(value, list | tuple):
        return _plain_sequence(value)
    inner = _inner(value)
    return said(value) if inner is None else plain_value(inner)


def plain_score(score: object) -> Value:
    """A number, whatever has one inside; else its text."""
    told = plain_value(score)
    if type(told) is str and isinstance(score, SupportsFloat):
        with suppress(Exception):  # not every such thing has one
            return plain_value(float(score))
    return told


def _inner(value: object) -> bool | int | float | None:
    """What NumPy and PyTorch hold in arrays of one number."""
    with suppress(Exception):  # there are several, or it is something else
        found = value.item()  # type: ignore[attr-defined]
        if type(found) in (bool, int, float):
            return found  # type: ignore[no-any-return]
    return None


def _plain_sequence(values: Iterable[object]) -> Value:
    """Values of one kind; where they are of several, their texts."""
    plain = [plain_value(value) for value, _ in zip(values, range(VALUES_AT_MOST), strict=False)]
    kinds = {type(value) for value in plain}
    if len(kinds) <= 1 and kinds <= _PLAIN:
        return plain  # type: ignore[return-value]
    return [said(value) for value in plain]


def _in_words(value: float) -> str:
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def said(value: object) -> str:
    """Its text, even where it has none."""
    try:
        return str(value)[:CHARACTERS_AT_MOST]
    except Exception:
        return f"<{type(value).__name__}>"
