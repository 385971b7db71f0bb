"""Install the offline kit: bring what is missing, mend what is damaged, leave the rest alone."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from ..domain.kit import KitItem
from ..domain.kit_state import Damage, DamageKind, Installation, Outcome
from ..domain.ports.kit import KitPreparer, KitProgress, KitStore, PackageDownloader


@dataclass(frozen=True, slots=True)
class InstallKit:
    """Brings every item into its place. Stopped at any point, the next call goes on from there."""

    items: tuple[KitItem, ...]
    store: KitStore
    downloader: PackageDownloader
    preparer: KitPreparer

    def __call__(self, progress: KitProgress) -> tuple[Installation, ...]:
        """One installation an item, in the order of the items; see the ports for the errors."""
        with ExitStack() as stack:
            with progress.step("waiting for another installation"):
                stack.enter_context(self.store.exclusive())
            return tuple(self._bring(item, progress) for item in self.items)

    def _bring(self, item: KitItem, progress: KitProgress) -> Installation:
        report = self.store.inspect(item)
        if not report.damages:
            self._done_with(item)  # a wheel is left when a kill came after the item was in its place
            return Installation(report, Outcome.KEPT, ())
        self.store.check_room(item)
        found = (*report.damages, *self._download(item, progress))
        with (
            progress.step(f"{item.id}: preparing ({item.preparation.value})"),
            self.store.building(item) as folder,
        ):
            self.preparer.prepare(item, self.store.wheel(item.pin), folder)
        self._done_with(item)
        fresh = all(damage.kind is DamageKind.ABSENT for damage in found)
        return Installation(
            self.store.inspect(item),
            Outcome.INSTALLED if fresh else Outcome.REPAIRED,
            found,
        )

    def _done_with(self, item: KitItem) -> None:
        """A wheel goes with the last item that is made of it, so that it is downloaded once."""
        if [one.id for one in self.items if one.pin == item.pin][-1] == item.id:
            self.store.discard_wheel(item.pin)

    def _download(self, item: KitItem, progress: KitProgress) -> tuple[Damage, ...]:
        """Make sure that the wheel is here; gives what was wrong with one that an earlier call left."""
        left = self.store.inspect_wheel(item)
        if left is None:
            return ()
        self.store.discard_wheel(item.pin)
        with progress.step(f"{item.id}: downloading", total=item.pin.size) as advance:
            self.downloader.download(item.pin, self.store.wheel(item.pin), advance)
        wrong = self.store.inspect_wheel(item)
        if wrong is not None:
            self.store.discard_wheel(item.pin)
            raise wrong.as_error()
        return () if left.kind is DamageKind.ABSENT else (left,)
