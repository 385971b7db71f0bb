"""Check procedures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..domain.errors import CeselloError, UsageError
from ..domain.ports.procedure import ProcedureFolders, ProcedureFormat, ProcedureStore
from ..domain.procedure_check import Checked
from .new_procedure import has_folder


@dataclass(frozen=True, slots=True)
class Linted:
    """What was found in one; ``where`` is its name, or the path that was given."""

    where: str
    found: Checked


class LintProcedures:
    """Says all that is wrong with procedures, and what could be better. Nothing is recorded."""

    def __init__(
        self, store: ProcedureStore, folders: ProcedureFolders, form: ProcedureFormat, shown: str
    ) -> None:
        self._store = store
        self._folders = folders
        self._form = form
        self._shown = shown

    def __call__(self, targets: Sequence[str] = ()) -> Sequence[Linted]:
        """Looks at procedures by name, and at folders by path; at all procedures where nothing is named.

        Raises:
            DataError: D043 when there is no such procedure or folder.
        """
        return list(self._each(targets or self._store.names()))

    def _each(self, targets: Sequence[str]) -> Iterator[Linted]:
        names = self._store.names()
        for target in targets:
            try:
                if target in names or self._is_own(target):
                    where = f"{self._shown}/{target}"
                    yield Linted(target, self._form.check(self._store.folder(target), where, target))
                else:
                    yield Linted(target, self._elsewhere(target))
            except CeselloError as problem:
                if problem.code not in ("D046", "C111"):
                    raise
                yield Linted(target, Checked(None, (problem,)))

    def _is_own(self, target: str) -> bool:
        """Whether it is a folder among the procedures that lacks a SKILL.md."""
        try:
            return has_folder(self._store, target)
        except UsageError:  # a path
            return False

    def _elsewhere(self, path: str) -> Checked:
        files = self._folders.read(path)
        folder = path.rstrip("/").removesuffix("/SKILL.md")
        name = folder.rpartition("/")[2]
        return self._form.check(files, folder, name if name not in ("", ".", "..", "SKILL.md") else None)
