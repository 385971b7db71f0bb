"""Verify the offline kit: say of every item whether it is here and whole."""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.kit import KitItem
from ..domain.kit_state import ItemReport
from ..domain.ports.kit import KitProgress, KitStore


@dataclass(frozen=True, slots=True)
class VerifyKit:
    """Looks at every item and changes none."""

    items: tuple[KitItem, ...]
    store: KitStore

    def glance(self) -> tuple[ItemReport, ...]:
        """A quick look, by size and modification time."""
        return tuple(self.store.inspect(item) for item in self.items)

    def __call__(self, progress: KitProgress) -> tuple[ItemReport, ...]:
        """A thorough look: every sha256 is computed again."""
        return tuple(self._verified(item, progress) for item in self.items)

    def _verified(self, item: KitItem, progress: KitProgress) -> ItemReport:
        with progress.step(f"{item.id}: computing sha256"):
            return self.store.inspect(item, thorough=True)
