"""A figure as it goes over a training, however long: what is kept of it does not grow with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isfinite

_KEPT = 256
"""Stretches that are kept at least, once there were as many values: more than a terminal has columns."""

_SPIKE = 0.5
"""Of the whole range: what is farther from the mean of its column is shown in the mean's place."""


@dataclass(slots=True)
class _Stretch:
    """Values that came one after the other; ``count`` of them are numbers."""

    count: int = 0
    total: float = 0.0
    low: float = 0.0
    high: float = 0.0

    @property
    def mean(self) -> float:
        mean = self.total / self.count
        if not isfinite(mean):  # so large are the values
            mean = self.low / 2 + self.high / 2
        return min(max(mean, self.low), self.high)


class Curve:
    """Takes one value after the other.

    Values are kept in stretches of equal length; when there are too many, every two become one. So the
    memory is that of 512 stretches, and least and most are exact.

    Attributes:
        first, last: of the numbers; None while there are none.
        count: values so far.
    """

    __slots__ = ("_span", "_stretches", "count", "first", "last")

    def __init__(self, values: Iterable[float | None] = ()) -> None:
        self.first: float | None = None
        self.last: float | None = None
        self.count = 0
        self._span = 1
        self._stretches: list[_Stretch] = []
        for value in values:
            self.add(value)

    @property
    def least(self) -> float | None:
        """Of all numbers; None while there are none."""
        return min((one.low for one in self._stretches if one.count), default=None)

    @property
    def most(self) -> float | None:
        """Likewise."""
        return max((one.high for one in self._stretches if one.count), default=None)

    def add(self, value: float | None) -> None:
        """Takes one in; None, NaN and infinity are gaps."""
        if self.count % self._span == 0:
            if len(self._stretches) == 2 * _KEPT:
                self._halve()
            self._stretches.append(_Stretch())
        self.count += 1
        if value is None or not isfinite(value):
            return
        stretch = self._stretches[-1]
        if not stretch.count:
            stretch.low = stretch.high = value
        elif value < stretch.low:
            stretch.low = value
        elif value > stretch.high:
            stretch.high = value
        stretch.count += 1
        stretch.total += value
        if self.first is None:
            self.first = value
        self.last = value

    def columns(self, width: int) -> list[float | None]:
        """At most so many values in their order; None is a gap.

        A column is the mean of its values, or one of them that is far off: a spike is seen however many
        values there are. Of two columns or more one is the least of all values and one the most.
        """
        parts = list(_parts(self._stretches, max(width, 1)))
        least, most = self.least, self.most
        if least is None or most is None:
            return [None for _ in parts]
        limit = (most / 2 - least / 2) * 2 * _SPIKE
        values = [_shown(_joined(part), limit) for part in parts]
        if least == most or len(values) < 2:
            return values
        low = _place(parts, lambda one: one.low == least)
        high = _place(parts, lambda one: one.high == most)
        if low == high:  # the second of them goes where there is room
            low, high = (low, low + 1) if low + 1 < len(values) else (low - 1, low)
        values[low], values[high] = least, most
        return values

    def _halve(self) -> None:
        pairs = zip(self._stretches[::2], self._stretches[1::2], strict=True)
        self._stretches = [_joined(pair) for pair in pairs]
        self._span *= 2


def _shown(stretch: _Stretch, limit: float) -> float | None:
    if not stretch.count:
        return None
    if stretch.high - stretch.mean > limit:
        return stretch.high
    if stretch.mean - stretch.low > limit:
        return stretch.low
    return stretch.mean


def _parts(stretches: Sequence[_Stretch], width: int) -> Iterable[Sequence[_Stretch]]:
    """In ``width`` parts of nearly the same length, or each for itself where there are fewer."""
    count = len(stretches)
    if count <= width:
        return ([one] for one in stretches)
    return (stretches[at * count // width : (at + 1) * count // width] for at in range(width))


def _joined(stretches: Sequence[_Stretch]) -> _Stretch:
    """All of them as one."""
    some = [one for one in stretches if one.count]
    if not some:
        return _Stretch()
    count, total = sum(one.count for one in some), sum(one.total for one in some)
    return _Stretch(count, total, min(one.low for one in some), max(one.high for one in some))


def _place(parts: Sequence[Sequence[_Stretch]], fits: Callable[[_Stretch], bool]) -> int:
    """Of the first part that has a stretch of that kind."""
    return next(at for at, part in enumerate(parts) if any(one.count and fits(one) for one in part))
