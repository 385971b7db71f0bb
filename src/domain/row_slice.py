"""A slice of a source's rows, written as in Python, in rows or in per cent: ``[:5%]``, ``[100:]``.

Per cent are rounded to the nearest row, a half to the even one: the rule that the ``datasets`` library
documents as ``closest`` and takes for ``train[:5%]``. ``-10%`` is the same bound as ``90%``. So neighbouring
slices meet, however their common bound is written, and no row is in two of them or in none. The library
rounds ``-10%`` as rows from the end instead, and starts at the first row where that rounds to none: there
``train[-10%:]`` is one row more than ``train[90%:]`` of 15 rows, and all of 5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_BOUND = r"\s*(-?[0-9]{1,15}%?)?\s*"
_FORM = re.compile(rf"\s*\[{_BOUND}:{_BOUND}\]\s*")


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a slice; below zero it counts from the last row."""

    value: int
    percent: bool = False

    def __str__(self) -> str:
        return f"{self.value}{'%' if self.percent else ''}"

    def of(self, count: int) -> int:
        """Its position among so many rows; from 0, and behind the last row where it is too large."""
        if self.percent:
            return round(self.forward * count / 100)
        return max(count + self.value, 0) if self.value < 0 else self.value

    @property
    def forward(self) -> int:
        """Its value, per cent always from the first row."""
        return 100 + self.value if self.percent and self.value < 0 else self.value

    @property
    def needs_count(self) -> bool:
        return self.percent or self.value < 0


@dataclass(frozen=True, slots=True)
class RowSlice:
    """Rows from ``start`` to before ``stop``; None for the first row and for the end."""

    start: Bound | None = None
    stop: Bound | None = None

    @classmethod
    def parse(cls, text: str) -> RowSlice:
        """The slice that a text such as ``[10%:20%]`` writes.

        Raises:
            ValueError: with what is wrong with it.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError("it is not of the form [start:stop], in rows or in %, as [:5%] or [100:200]")
        made = cls(*(_bound(written) for written in found.groups()))
        if any(bound and bound.percent and abs(bound.value) > 100 for bound in (made.start, made.stop)):
            raise ValueError("there are no more than 100% of the rows")
        if made._keeps_nothing():
            raise ValueError("it keeps no row: its end is not behind its start")
        return made

    def __str__(self) -> str:
        return f"[{'' if self.start is None else self.start}:{'' if self.stop is None else self.stop}]"

    @property
    def needs_count(self) -> bool:
        """Whether it depends on how many rows there are, so that all must be counted first."""
        return any(bound is not None and bound.needs_count for bound in (self.start, self.stop))

    @property
    def bounds(self) -> tuple[int, int | None]:
        """First row and the one after the last, None for no end, of any number of rows.

        Raises:
            ValueError: when it needs the count.
        """
        if self.needs_count:
            raise ValueError(f"{self} depends on the number of rows")
        return (self.start.value if self.start else 0, self.stop.value if self.stop else None)

    def range(self, count: int) -> range:
        """The positions it keeps of so many rows, as Python slices them."""
        start, stop = (bound.of(count) if bound else None for bound in (self.start, self.stop))
        return range(count)[start:stop]

    def _keeps_nothing(self) -> bool:
        """Whether that is so for any number of rows."""
        if self.stop is None:
            return False
        start, stop = self.start or Bound(0, self.stop.percent), self.stop
        alike = start.percent == stop.percent and (start.forward < 0) == (stop.forward < 0)
        return stop.forward == 0 or (alike and stop.forward <= start.forward)


def _bound(written: str | None) -> Bound | None:
    return Bound(int(written.rstrip("%")), written.endswith("%")) if written else None
