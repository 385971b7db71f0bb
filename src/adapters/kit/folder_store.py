"""The kit in a folder: items are built beside their place and renamed into it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ...domain.errors import RetryableError
from ...domain.kit import DATA_FOLDER, HUB_FOLDER, KitItem, PackagePin
from ...domain.kit_state import Damage, DamageKind, ItemReport, KitManifest
from . import manifest as manifests
from .disk_errors import explained, no_room
from .sealing import compared, seal, sha256_of, sync

_BUILDING = ".building-"
_REPLACED = ".replaced-"


class FolderKitStore:
    """Keeps the kit under the home folder.

    Args:
        home: need not exist; created by the first installation.
        patience: seconds to wait for another installation.
    """

    def __init__(self, home: Path, *, patience: float = 900) -> None:
        self._home = home
        self._data = home / DATA_FOLDER
        self._downloads = self._data / ".downloads"
        self._patience = patience

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """See the port."""
        with explained(self._home):
            self._downloads.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._data / ".lock", timeout=self._patience)
            try:
                lock.acquire()
            except Timeout as cause:
                raise RetryableError(
                    "T081",
                    "another installation of the offline kit is at work",
                    where=str(self._home),
                    fix="wait for it to end, then run `cesello kit install` again",
                ) from cause
        try:
            with explained(self._home):
                self._sweep()
            yield
        finally:
            lock.release()

    def _sweep(self) -> None:
        """Remove what an installation that was killed left behind, except whole downloads."""
        for parent in (self._home / HUB_FOLDER, self._data):
            for prefix in (_BUILDING, _REPLACED):
                for left in parent.glob(f"{prefix}*"):
                    shutil.rmtree(left, ignore_errors=True)
        for left in self._downloads.iterdir():
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)

    def inspect(self, item: KitItem, *, thorough: bool = False) -> ItemReport:
        """See the port."""
        folder = self._home / item.location
        with explained(folder):
            manifest, damages = self._manifest(item, folder)
            if manifest is not None and not damages:
                looks = (compared(item, folder, file, thorough=thorough) for file in manifest.files)
                damages = tuple(damage for damage in looks if damage is not None)
        size = sum(file.size for file in manifest.files) if manifest else 0
        return ItemReport(item, str(folder), size, damages)

    def _manifest(self, item: KitItem, folder: Path) -> tuple[KitManifest | None, tuple[Damage, ...]]:
        path = folder / manifests.FILENAME
        try:
            manifest = manifests.decode(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            kind, place = (DamageKind.MISSING, path) if folder.is_dir() else (DamageKind.ABSENT, folder)
            return None, (Damage(item.id, kind, str(place)),)
        except ValueError:
            return None, (Damage(item.id, DamageKind.UNREADABLE, str(path)),)
        if manifest.revision != item.revision:
            outdated = Damage(item.id, DamageKind.OUTDATED, str(folder), manifest.revision, item.revision)
            return manifest, (outdated,)
        return manifest, ()

    def check_room(self, item: KitItem) -> None:
        """See the port."""
        with explained(self._home):
            free = shutil.disk_usage(self._home).free
        if free < item.disk:
            raise no_room(
                str(self._home), f"{free // 10**6} MB free", f"{item.disk // 10**6} MB for {item.id}"
            )

    @contextmanager
    def building(self, item: KitItem) -> Iterator[Path]:
        """See the port."""
        place = self._home / item.location
        scratch = place.parent / f"{_BUILDING}{item.id}"
        with explained(place):
            folder = scratch / item.files
            folder.mkdir(parents=True)
            try:
                yield folder
                if item.repository is not None:
                    (scratch / "refs").mkdir()
                    (scratch / "refs" / "main").write_text(item.revision, encoding="ascii")
                seal(item, scratch)
                _replace(place, scratch, place.parent / f"{_REPLACED}{item.id}")
            finally:
                shutil.rmtree(scratch, ignore_errors=True)

    def wheel(self, pin: PackagePin) -> Path:
        """See the port."""
        return self._downloads / pin.filename

    def inspect_wheel(self, item: KitItem) -> Damage | None:
        """See the port."""
        path = self.wheel(item.pin)
        with explained(path):
            if not path.is_file():
                return Damage(item.id, DamageKind.ABSENT, str(path))
            got = sha256_of(path)
        if got == item.pin.sha256:
            return None
        return Damage(item.id, DamageKind.DOWNLOAD, str(path), f"sha256 {got}", f"sha256 {item.pin.sha256}")

    def discard_wheel(self, pin: PackagePin) -> None:
        """See the port."""
        path = self.wheel(pin)
        with explained(path):
            path.unlink(missing_ok=True)


def _replace(place: Path, new: Path, old: Path) -> None:
    """Two renames: a kill between them leaves no item, which the next installation brings again."""
    if place.exists():
        place.rename(old)
    new.rename(place)
    sync(place.parent)
    shutil.rmtree(old, ignore_errors=True)
