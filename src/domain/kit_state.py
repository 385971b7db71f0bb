"""What is found of the offline kit on disk, and what is done about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .errors import StorageError
from .kit import KitItem

INSTALL = "run `cesello kit install`"


class DamageKind(StrEnum):
    """What can be wrong with an item."""

    ABSENT = "an item of the offline kit is not installed"
    OUTDATED = "an item of the offline kit is of another version"
    UNREADABLE = "the manifest of an item of the offline kit is broken"
    MISSING = "a file of the offline kit is missing"
    CHANGED = "a file of the offline kit is corrupted"
    DOWNLOAD = "a download of the offline kit is corrupted"


_CODES = {
    DamageKind.ABSENT: "I080",
    DamageKind.OUTDATED: "I081",
    DamageKind.UNREADABLE: "I082",
    DamageKind.MISSING: "I083",
    DamageKind.CHANGED: "I084",
    DamageKind.DOWNLOAD: "I085",
}


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is wrong.

    Attributes:
        item: the id of the kit's item.
        file: the file or folder it is about.
        got, expected: sha256 or revision, where they were compared.
    """

    item: str
    kind: DamageKind
    file: str
    got: str | None = None
    expected: str | None = None

    def as_error(self) -> StorageError:
        """The same, in the form every error has."""
        return StorageError(
            _CODES[self.kind],
            self.kind.value,
            where=self.file,
            got=self.got,
            expected=self.expected,
            fix=INSTALL,
        )


@dataclass(frozen=True, slots=True)
class KitFile:
    """A file as it was when its item was installed.

    Attributes:
        path: relative to the item's location, with forward slashes.
        size: in bytes.
        changed: its modification time, in nanoseconds since the epoch.
    """

    path: str
    size: int
    sha256: str
    changed: int


@dataclass(frozen=True, slots=True)
class KitManifest:
    """What an item consists of. It is written last: an item with a manifest is whole."""

    item: str
    package: str
    revision: str
    files: tuple[KitFile, ...]


class State(StrEnum):
    """An item at a glance."""

    INSTALLED = "installed"
    DAMAGED = "damaged"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class ItemReport:
    """What a look at an item found.

    Attributes:
        location: its folder.
        size: bytes on disk according to the manifest, 0 without one.
    """

    item: KitItem
    location: str
    size: int
    damages: tuple[Damage, ...]

    @property
    def state(self) -> State:
        if not self.damages:
            return State.INSTALLED
        absent = all(damage.kind is DamageKind.ABSENT for damage in self.damages)
        return State.ABSENT if absent else State.DAMAGED


class Outcome(StrEnum):
    """What an installation did with an item."""

    KEPT = "kept"
    INSTALLED = "installed"
    REPAIRED = "repaired"


@dataclass(frozen=True, slots=True)
class Installation:
    """What an installation did with an item, and what it had found wrong before."""

    report: ItemReport
    outcome: Outcome
    found: tuple[Damage, ...]
