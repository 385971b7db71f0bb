"""Where rows come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ..source import SourceRow


class DatasetSource(Protocol):
    """A dataset that can be read from its first row to its last, always in the same order."""

    @property
    def name(self) -> str:
        """What the recipe calls it."""
        ...

    @property
    def origin(self) -> str:
        """Where it comes from, with its version, for the manifest."""
        ...

    def rows(self) -> Iterator[SourceRow]:
        """Every row.

        Raises:
            DataError: D001 missing, D002 empty, D003 unreadable, naming file and line.
        """
        ...
