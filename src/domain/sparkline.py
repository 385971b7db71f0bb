"""A curve in one line of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite

BLOCKS = "▁▂▃▄▅▆▇█"
"""Of Unicode, from one eighth of a line's height to all of it."""

ASCII = "_.-=+*%#"
"""The same where there is nothing but ASCII: more ink is more."""

GAP = " "
"""Where nothing is known."""


def sparkline(
    values: Sequence[float | None],
    signs: str = BLOCKS,
    gap: str = GAP,
    *,
    low: float | None = None,
    high: float | None = None,
) -> str:
    """One sign a value, the lowest for ``low`` and the highest for ``high``.

    Args:
        values: None, NaN and infinity are a ``gap``.
        signs: from low to high.
        low, high: the scale's ends; the least and the most value where they are not given. What is beyond
            them is shown as they are. A scale without an extent shows all at half of the height.
    """
    known = [value for value in values if value is not None and isfinite(value)]
    if not known:
        return gap * len(values)
    bottom = min(known) if low is None else low
    top = max(known) if high is None else high
    return "".join(_sign(value, bottom, top, signs) or gap for value in values)


def _sign(value: float | None, low: float, high: float, signs: str) -> str:
    if value is None or not isfinite(value):
        return ""
    last = len(signs) - 1
    extent = high / 2 - low / 2  # halves, as the whole may be more than a float holds
    if extent <= 0:
        return signs[last // 2]
    share = (value / 2 - low / 2) / extent
    return signs[round(min(max(share, 0.0), 1.0) * last)]


def same_scale(curves: Iterable[Sequence[float | None]]) -> tuple[float, float] | None:
    """The ends of the scale that all of these fit; None where there is no number."""
    known = [value for values in curves for value in values if value is not None and isfinite(value)]
    return (min(known), max(known)) if known else None
