"""An item's files: put on the disk with a manifest, and compared with it later."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from ...domain.kit import KitItem
from ...domain.kit_state import Damage, DamageKind, KitFile, KitManifest
from . import manifest as manifests


def seal(item: KitItem, folder: Path) -> None:
    """Put everything in the folder on the disk and write the manifest last."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = tuple(_sealed(path, path.relative_to(folder).as_posix()) for path in paths)
    manifest = folder / manifests.FILENAME
    text = manifests.encode(KitManifest(item.id, str(item.pin), item.revision, files))
    manifest.write_text(text, encoding="utf-8")
    sync(manifest)
    for inner in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        sync(inner)


def compared(item: KitItem, folder: Path, file: KitFile, *, thorough: bool) -> Damage | None:
    """What is wrong with a file, if anything; recorded size and time are trusted unless ``thorough``."""
    path = folder / file.path
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Damage(item.id, DamageKind.MISSING, str(path), expected=f"sha256 {file.sha256}")
    untouched = (status.st_size, status.st_mtime_ns) == (file.size, file.changed)
    if untouched and not thorough:
        return None
    got = sha256_of(path)
    if got == file.sha256:
        return None
    if untouched:
        # The disk lost bits without a write: a new time makes every later quick look see it too.
        with suppress(OSError):
            os.utime(path)
    return Damage(item.id, DamageKind.CHANGED, str(path), f"sha256 {got}", f"sha256 {file.sha256}")


def sha256_of(path: Path) -> str:
    """The sha256 of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Wait until a file or a folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sealed(path: Path, name: str) -> KitFile:
    path.chmod(0o600)
    sync(path)
    status = path.stat()
    return KitFile(name, status.st_size, sha256_of(path), status.st_mtime_ns)
