"""Exports as folders that transformers reads, with ``export.json`` beside the weights."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from ...domain.errors import ModelError, StorageError, UsageError
from ...domain.export import Damage, ExportedRun, ExportManifest, Into, Parity, Wrong
from .whole_files import sealed, sha256_of, sync, write_whole, writing

MANIFEST = "export.json"


class FolderExports:
    """Any folder can hold an export."""

    @contextmanager
    def create(self, folder: Path, *, overwrite: bool = False) -> Iterator[FolderExport]:
        place = folder.absolute()
        if not self._is_free(place) and not (overwrite and self._is_export(place)):
            raise UsageError(
                "C060",
                "something is there already",
                where=str(folder),
                expected="a folder that does not exist or is empty",
                fix="name another DIR, or add --overwrite to replace an export",
            )
        partial = place.with_name(f".{place.name}.partial")
        with _writing(folder):
            shutil.rmtree(partial, ignore_errors=True)
            place.parent.mkdir(parents=True, exist_ok=True)
            partial.mkdir(mode=0o700)
        try:
            yield FolderExport(partial, place)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def read(self, folder: Path) -> ExportManifest:
        try:
            return _manifest(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as cause:
            raise ModelError(
                "M038",
                "the folder holds no export of cesello",
                where=str(folder / MANIFEST),
                got=f"{type(cause).__name__}: {cause}"[:200],
                fix="name the DIR of `cesello export RUN --merge DIR`",
            ) from cause

    def damages(self, folder: Path, manifest: ExportManifest) -> tuple[Damage, ...]:
        there = {name for name in _names(folder) if not name.startswith(".")}
        missing = [Damage(name, Wrong.MISSING) for name in manifest.files if name not in there]
        added = [Damage(name, Wrong.ADDED) for name in there - {*manifest.files, MANIFEST}]
        changed = [
            Damage(name, Wrong.CHANGED)
            for name, digest in manifest.files.items()
            if name in there and sha256_of(folder / name) != digest
        ]
        return tuple(sorted([*missing, *added, *changed], key=lambda damage: damage.file))

    def _is_free(self, folder: Path) -> bool:
        return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))

    def _is_export(self, folder: Path) -> bool:
        try:
            self.read(folder)
        except ModelError:
            return False
        return True


class FolderExport:
    """A partial folder beside the place where it will be."""

    def __init__(self, partial: Path, place: Path) -> None:
        self._partial = partial
        self._place = place

    @property
    def path(self) -> Path:
        return self._partial

    def fill(self, save: Callable[[Path], None]) -> None:
        with _writing(self._place):
            save(self._partial)

    def finish(self, card: str, manifest: ExportManifest) -> ExportManifest:
        with _writing(self._place):
            write_whole(self._partial / "README.md", card)
            for folder in (path for path in self._partial.rglob("*") if path.is_dir()):
                folder.chmod(0o700)
            files = {name: sealed(self._partial / name) for name in _names(self._partial)}
            manifest = dataclasses.replace(manifest, files=files)
            text = json.dumps(dataclasses.asdict(manifest), ensure_ascii=False, indent=2)
            write_whole(self._partial / MANIFEST, text + "\n")
            self._put_in_place()
        return manifest

    def _put_in_place(self) -> None:
        """What was there is moved away first, so that at no time two halves are one folder."""
        old = self._place.with_name(f".{self._place.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if self._place.exists():
            self._place.rename(old)
        self._partial.rename(self._place)
        sync(self._place.parent)
        shutil.rmtree(old, ignore_errors=True)


def _names(folder: Path) -> list[str]:
    """Paths of all files in a folder, from there."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in files)


def _manifest(values: Mapping[str, Any]) -> ExportManifest:
    parts = {
        "run": ExportedRun(**values["run"]),
        "into": Into(values["into"]),
        "parity": Parity(**values["parity"]),
        "files": {str(name): str(digest) for name, digest in values["files"].items()},
    }
    return ExportManifest(**{**values, **parts})


def _writing(folder: Path) -> AbstractContextManager[None]:
    return writing(
        folder,
        StorageError("I005", "an export cannot be written", fix="name a folder that can be written"),
    )
