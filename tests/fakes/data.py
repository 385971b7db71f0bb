"""A dataset in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cesello.domain.errors import DataError
from cesello.domain.source import SourceRow, identity_of


@dataclass
class FakeDatasetSource:
    """Gives its rows; without any it is empty, and with None it does not exist.

    Attributes:
        pinned: whether something cheap can tell its rows.
        readings: how often its rows were asked for.
    """

    values: Sequence[Mapping[str, Any]] | None
    name: str = "fake"
    origin: str = field(default="memory", kw_only=True)
    pinned: bool = field(default=True, kw_only=True)
    readings: int = field(default=0, init=False)

    @property
    def identity(self) -> str | None:
        return identity_of("fake", repr(self._there())) if self.pinned else None

    def rows(self) -> Iterator[SourceRow]:
        self.readings += 1
        for number, values in enumerate(self._there(), start=1):
            yield SourceRow(f"{self.name}:{number}", values)

    def _there(self) -> Sequence[Mapping[str, Any]]:
        if self.values is None:
            raise DataError("D001", "a source does not exist", where=f'source "{self.name}"', fix="make it")
        return self.values
