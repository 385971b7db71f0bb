"""List procedures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..domain.errors import CeselloError, InvalidProcedure
from ..domain.ports.procedure import ProcedureStore
from ..domain.procedure import Procedure, Version

_OF_A_FOLDER = ("D043", "D046", "C111")
"""Codes of what is wrong with one folder: it is gone again, is not safe, or its name is none."""

Said = tuple[Procedure, Version]


@dataclass(frozen=True, slots=True)
class Listed:
    """All procedures of a project, by name.

    Attributes:
        standing: what stands in the folders that are well-formed.
        active: what is in use, whatever stands in the folder.
        broken: what is wrong with the other folders.
    """

    standing: Mapping[str, Said]
    active: Mapping[str, Said]
    broken: Mapping[str, tuple[CeselloError, ...]]

    def complain(self) -> None:
        """Tells all that is wrong.

        Raises:
            InvalidProcedure: D042, where anything is.
        """
        if self.broken:
            raise InvalidProcedure([problem for its in self.broken.values() for problem in its])


class ListProcedures:
    """Records what was edited in any folder first."""

    def __init__(self, store: ProcedureStore) -> None:
        self._store = store

    def __call__(self, name: str | None = None) -> Listed:
        """All of them, or one: a folder that is not well-formed hides no other.

        Raises:
            CeselloError: those of the store.
        """
        standing: dict[str, Said] = {}
        broken: dict[str, tuple[CeselloError, ...]] = {}
        for one in self._store.names():
            try:
                if name in (None, one):
                    standing[one] = self._store.standing(one)
            except InvalidProcedure as problem:
                broken[one] = problem.problems
            except CeselloError as problem:
                if problem.code not in _OF_A_FOLDER:
                    raise
                broken[one] = (problem,)
        active = {version.name: (procedure, version) for procedure, version in self._store.active()}
        return Listed(standing, active, broken)
