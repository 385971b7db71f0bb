"""Procedures kept in dictionaries."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cesello.domain.errors import DataError, UsageError
from cesello.domain.procedure import Change, Procedure, Status, Version, sha_of, status_of_edit
from cesello.domain.procedure_check import RESERVED
from cesello.entrypoints.settings.procedure_file import ProcedureFiles
from tests.fakes.run import FixedClock

Recorded = tuple[Version, Mapping[str, bytes]]


@dataclass
class FakeProcedureStore:
    """Implements ``ProcedureStore``.

    Attributes:
        folders: what a person sees and edits: files by the name of their procedure.
        recorded: every version with its files, oldest first.
        noted: the changes of status, oldest first, with the name.
    """

    folders: dict[str, dict[str, bytes]] = field(default_factory=dict)
    recorded: list[Recorded] = field(default_factory=list)
    noted: list[tuple[str, Change]] = field(default_factory=list)
    clock: FixedClock = field(default_factory=FixedClock)
    form: ProcedureFiles = field(default_factory=ProcedureFiles)

    def place(self, procedure: Procedure) -> Version:
        """For a test: puts a procedure into its folder, and makes it the active version."""
        files = dict(self.form.write(procedure))
        self.folders[procedure.name] = files
        return self.set_status(
            procedure.name, self.add(procedure.name, files, author="user").sha, Status.ACTIVE
        )

    def names(self) -> Sequence[str]:
        return sorted(name for name, files in self.folders.items() if "SKILL.md" in files)

    def folder(self, name: str) -> Mapping[str, bytes]:
        _check_name(name)
        if name not in self.folders:
            raise _unknown(name)
        return dict(sorted(self.folders[name].items()))

    def standing(self, name: str) -> tuple[Procedure, Version]:
        files = self.folder(name)
        procedure = self.form.read(files, name, name)
        known = self._of(name)
        for version, _ in known:
            if version.sha == sha_of(files):
                return procedure, version
        status = status_of_edit([version for version, _ in known])
        return procedure, self._record(name, files, "user", "", status)

    def active(self) -> Sequence[tuple[Procedure, Version]]:
        for name in self.names():
            if not self._of(name) and self.form.check(self.folder(name), name, name).procedure:
                self.standing(name)
        found = [one for one, _ in self.recorded if one.status is Status.ACTIVE and one.name in self.names()]
        return [(self.read(one.name, one.sha), one) for one in sorted(found, key=lambda one: one.name)]

    def versions(self, name: str) -> Sequence[Version]:
        if not self._of(name):
            raise _unknown(name)
        return [version for version, _ in reversed(self._of(name))]

    def changes(self, name: str) -> Sequence[Change]:
        self.versions(name)
        return [change for whose, change in reversed(self.noted) if whose == name]

    def version(self, name: str, sha: str) -> Version:
        found = [one for one in self.versions(name) if one.sha.startswith(sha)]
        if len(found) != 1 or len(sha) < 8:
            raise DataError("D043", "there is no such version", where=name, got=sha, fix="look for it")
        return found[0]

    def read(self, name: str, sha: str) -> Procedure:
        return self.form.read(self.files(name, sha), name, name)

    def files(self, name: str, sha: str) -> Mapping[str, bytes]:
        whole = self.version(name, sha).sha
        return next(files for version, files in self._of(name) if version.sha == whole)

    def add(self, name: str, files: Mapping[str, bytes], *, author: str, parent: str = "") -> Version:
        _check_name(name)
        self.form.read(files, name, name)
        whole = self.version(name, parent).sha if parent else ""
        for version, _ in self._of(name):
            if version.sha == sha_of(files):
                return version
        return self._record(name, files, author, whole, Status.DRAFT)

    def set_status(
        self, name: str, sha: str, status: Status, reason: str = "", *, replaced: str = ""
    ) -> Version:
        found = self.version(name, sha)
        for one, _ in self._of(name) if status is Status.ACTIVE else ():
            if one.status is Status.ACTIVE and one.sha != found.sha:
                why = replaced or f"replaced by {found.sha[:8]}"
                self._set(replace(one, status=Status.RETIRED, reason=why))
        for one, _ in self._of(name) if status is Status.TRIAL else ():
            if one.status is Status.TRIAL and one.sha != found.sha:
                self._set(replace(one, status=Status.DRAFT, reason=f"{found.sha[:8]} is tried"))
        return self._set(replace(found, status=status, reason=reason))

    def check_out(self, name: str, sha: str) -> None:
        files = self.files(name, sha)
        known = [version.sha for version, _ in self._of(name)]
        if name in self.folders and sha_of(self.folders[name]) not in known:
            raise UsageError(
                "C110", "the folder holds edits that are in no version", where=name, fix="keep them"
            )
        self.folders[name] = dict(files)

    def _of(self, name: str) -> Sequence[Recorded]:
        return [one for one in self.recorded if one[0].name == name]

    def _record(
        self, name: str, files: Mapping[str, bytes], author: str, parent: str, status: Status
    ) -> Version:
        known = [version for version, _ in reversed(self._of(name))]
        above = [*(one.sha for one in known if one.status is Status.ACTIVE), *(one.sha for one in known), ""]
        version = Version(name, sha_of(files), parent or above[0], author, self.clock.now(), status)
        self.recorded.append((version, dict(sorted(files.items()))))
        self._note(version)
        return version

    def _set(self, version: Version) -> Version:
        whose = [(one.name, one.sha) for one, _ in self.recorded].index((version.name, version.sha))
        self.recorded[whose] = (version, self.recorded[whose][1])
        self._note(version)
        return version

    def _note(self, version: Version) -> None:
        change = Change(version.sha, version.status, version.reason, self.clock.now())
        self.noted.append((version.name, change))


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) or name in RESERVED:
        raise UsageError("C111", "a procedure cannot be called that", where=name, fix="name it otherwise")


def _unknown(name: str) -> DataError:
    return DataError("D043", "there is no such procedure", where=name, fix="make one")
