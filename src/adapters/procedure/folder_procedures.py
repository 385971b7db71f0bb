"""Procedures in folders that a person edits, ``.cesello/procedures/NAME``, with all their versions beside."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ...domain.errors import CeselloError, DataError, UsageError
from ...domain.ports.procedure import ProcedureFormat
from ...domain.ports.run import Clock
from ...domain.procedure import Change, Procedure, Status, Version, sha_of, status_of_edit
from ...domain.procedure_check import LONGEST_NAME, NAME_FORM, RESERVED, SKILL
from .safe_files import keep_executable, move_beside, read_folder, sync, write_folder, writing
from .version_database import VersionDatabase

_KEPT = ".versions"
_FEWEST_DIGITS = 8


class FolderProcedures:
    """Implements ``ProcedureStore``.

    Args:
        root: the folder of all procedures; it need not exist.
        shown: how messages name it.
    """

    def __init__(self, root: Path, form: ProcedureFormat, clock: Clock, shown: str | None = None) -> None:
        self._root = root
        self._shown = shown or str(root)
        self._form = form
        self._clock = clock
        self._kept = VersionDatabase(root / _KEPT / "versions.sqlite3")

    def names(self) -> Sequence[str]:
        self._finish_check_outs()
        if not self._root.is_dir():
            return []
        found = [path.parent.name for path in self._root.glob(f"*/{SKILL}")]
        return sorted(name for name in found if not name.startswith("."))

    def folder(self, name: str) -> Mapping[str, bytes]:
        self._finish_check_outs()
        place = self._place(name)
        if not os.path.lexists(place):
            raise self._unknown(name)
        return read_folder(place)

    def standing(self, name: str) -> tuple[Procedure, Version]:
        files = self.folder(name)
        sha = sha_of(files)
        procedure = self._form.read(files, f"{self._shown}/{name}", name)
        with suppress(StopIteration):
            return procedure, next(one for one in self._kept.versions(name) if one.sha == sha)
        with self._kept.changing():
            known = self._kept.versions(name)
            if same := [one for one in known if one.sha == sha]:
                return procedure, same[0]
            return procedure, self._added(name, files, "user", _parent(known), status_of_edit(known))

    def active(self) -> Sequence[tuple[Procedure, Version]]:
        names = self.names()
        known = {version.name for version in self._kept.versions()}
        for name in names:
            if name not in known:
                with suppress(CeselloError):  # `sop list` and `sop lint` say what is wrong with it
                    self.standing(name)
        versions = [one for one in self._kept.versions() if one.status is Status.ACTIVE and one.name in names]
        return [(self._said(version), version) for version in sorted(versions, key=lambda one: one.name)]

    def versions(self, name: str) -> Sequence[Version]:
        found = self._kept.versions(name)
        if not found:
            raise self._unknown(name)
        return found

    def changes(self, name: str) -> Sequence[Change]:
        self.versions(name)
        return self._kept.changes(name)

    def version(self, name: str, sha: str) -> Version:
        found = [one for one in self.versions(name) if one.sha.startswith(sha)]
        if len(found) != 1 or len(sha) < _FEWEST_DIGITS or not re.fullmatch("[0-9a-f]+", sha):
            several = len(found) > 1 and len(sha) >= _FEWEST_DIGITS
            what = "there are several such versions" if several else "there is no such version"
            fix = f"`cesello sop show {name}` lists them; give {_FEWEST_DIGITS} digits or more"
            raise DataError("D043", what, where=name, got=sha, fix=fix)
        return found[0]

    def read(self, name: str, sha: str) -> Procedure:
        return self._said(self.version(name, sha))

    def files(self, name: str, sha: str) -> Mapping[str, bytes]:
        return self._kept.files(self.version(name, sha))

    def add(self, name: str, files: Mapping[str, bytes], *, author: str, parent: str = "") -> Version:
        self._place(name)
        self._form.read(files, f"{self._shown}/{name}", name)
        whole = self.version(name, parent).sha if parent else ""
        with self._kept.changing():
            known = self._kept.versions(name)
            if same := [one for one in known if one.sha == sha_of(files)]:
                return same[0]
            return self._added(name, files, author, whole or _parent(known), Status.DRAFT)

    def set_status(
        self, name: str, sha: str, status: Status, reason: str = "", *, replaced: str = ""
    ) -> Version:
        found = self.version(name, sha)
        with self._kept.changing():
            if status is Status.ACTIVE:
                for one in self._kept.versions(name):
                    if one.status is Status.ACTIVE and one.sha != found.sha:
                        why = replaced or f"replaced by {found.sha[:_FEWEST_DIGITS]}"
                        self._set(replace(one, status=Status.RETIRED, reason=why))
            for one in self._kept.versions(name) if status is Status.TRIAL else ():
                if one.status is Status.TRIAL and one.sha != found.sha:
                    self._set(
                        replace(one, status=Status.DRAFT, reason=f"{found.sha[:_FEWEST_DIGITS]} is tried")
                    )
            return self._set(replace(found, status=status, reason=reason))

    def check_out(self, name: str, sha: str) -> None:
        version = self.version(name, sha)
        place, (old, new) = self._place(name), self._beside(name)
        files = self._kept.files(version)
        with writing(place), self._kept.changing():
            self._finish(name)
            if os.path.lexists(place):
                standing = sha_of(read_folder(place))
                if standing == version.sha:
                    return
                if not self._kept.has(name, standing):
                    raise self._edited(name)
            partial = new.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            write_folder(partial, files)
            keep_executable(place, partial)
            partial.rename(new)  # what has this name is whole
            sync(new.parent)
            if os.path.lexists(place):
                place.rename(old)
            self._finish(name)
            if sha_of(read_folder(place)) != version.sha:
                raise self._edited(name)

    def _finish_check_outs(self) -> None:
        """What a process had begun that was killed."""
        if not any((self._root / _KEPT).glob("*.old")):
            return
        with writing(self._root), self._kept.changing():
            for old in (self._root / _KEPT).glob("*.old"):
                self._finish(old.stem)

    def _finish(self, name: str) -> None:
        """The new folder takes its place once the old one is away, unless that was edited in this instant."""
        place, (old, new) = self._place(name), self._beside(name)
        sha = sha_of(read_folder(old)) if old.is_dir() else ""
        recorded = self._kept.has(name, sha)
        if not os.path.lexists(place):
            if new.is_dir() and (recorded or not old.is_dir()):
                new.rename(place)
            elif old.is_dir():
                old.rename(place)
            sync(self._root)
        if old.is_dir() and recorded and move_beside(old, place):
            shutil.rmtree(old)
        elif old.is_dir():  # what is left in it is not ours to delete
            asides = (old.with_suffix(f".{sha[:_FEWEST_DIGITS]}{more}") for more in ("", *range(2, 1_000)))
            old.rename(next(one for one in asides if not os.path.lexists(one)))
        shutil.rmtree(new, ignore_errors=True)

    def _beside(self, name: str) -> tuple[Path, Path]:
        """Where the folder goes that makes room, and where its successor is made."""
        return self._root / _KEPT / f"{name}.old", self._root / _KEPT / f"{name}.new"

    def _said(self, version: Version) -> Procedure:
        where = f"{self._shown}/{version.name} ({version.sha[:_FEWEST_DIGITS]})"
        return self._form.read(self._kept.files(version), where, version.name)

    def _added(
        self, name: str, files: Mapping[str, bytes], author: str, parent: str, status: Status
    ) -> Version:
        version = Version(name, sha_of(files), parent, author, self._clock.now(), status)
        self._kept.add(version, files)
        return version

    def _set(self, version: Version) -> Version:
        self._kept.set_status(version, self._clock.now())
        return version

    def _place(self, name: str) -> Path:
        if not re.fullmatch(NAME_FORM, name) or len(name) > LONGEST_NAME or name in RESERVED:
            reserved = " and ".join(RESERVED)
            expected = f"small letters, digits and single hyphens, at most {LONGEST_NAME}; not {reserved}"
            what, fix = "a procedure cannot be called that", "choose a name such as debug-a-failure"
            raise UsageError("C111", what, where=name[:80], expected=expected, fix=fix)
        return self._root / name

    def _unknown(self, name: str) -> DataError:
        what, fix = "there is no such procedure", "`cesello sop list` lists them; `cesello sop new` makes one"
        return DataError("D043", what, where=name, fix=fix)

    def _edited(self, name: str) -> UsageError:
        return UsageError(
            "C110",
            "the folder holds edits that are in no version",
            where=f"{self._shown}/{name}",
            fix="mend what `cesello sop lint` finds, so that they can be recorded, or move the folder away",
        )


def _active(known: Sequence[Version]) -> list[Version]:
    return [one for one in known if one.status is Status.ACTIVE]


def _parent(known: Sequence[Version]) -> str:
    """The active version, else the newest."""
    found = [*_active(known), *known]
    return found[0].sha if found else ""
