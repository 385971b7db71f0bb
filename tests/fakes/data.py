"""A dataset in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cesello.domain.errors import DataError
from cesello.domain.source import SourceRow


@dataclass
class FakeDatasetSource:
    """Gives its rows; without any it is empty, and with None it does not exist."""

    values: Sequence[Mapping[str, Any]] | None
    name: str = "fake"
    origin: str = field(default="memory", kw_only=True)

    def rows(self) -> Iterator[SourceRow]:
        where = f'source "{self.name}"'
        if self.values is None:
            raise DataError("D001", "a source does not exist", where=where, fix="make it")
        if not self.values:
            raise DataError("D002", "a source is empty", where=where, fix="give it rows")
        for number, values in enumerate(self.values, start=1):
            yield SourceRow(f"{self.name}:{number}", values)
