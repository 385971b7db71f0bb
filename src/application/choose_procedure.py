"""Choose what a request runs with: a procedure, one of its versions, or none to see what happens without."""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.errors import DataError
from ..domain.ports.procedure import ProcedureStore
from ..domain.procedure import Procedure, Status, Version
from ..domain.procedure_outcomes import HOLD_OUT, choose
from .match_procedure import MatchProcedure

AUTO = "auto"
OFF = "off"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a request runs with.

    Attributes:
        held_out: the procedure matched, and the request goes without it.
        why: for a person.
    """

    procedure: Procedure | None = None
    version: Version | None = None
    held_out: bool = False
    why: str = ""

    @property
    def used(self) -> Procedure | None:
        """What is put into the prompt."""
        return None if self.held_out else self.procedure


class ChooseProcedure:
    """By name, or by what matches."""

    def __init__(self, store: ProcedureStore, match: MatchProcedure) -> None:
        self._store = store
        self._match = match

    def __call__(self, wanted: str, request: str, *, hold_out: float = HOLD_OUT) -> Choice:
        """What the request runs with.

        Args:
            wanted: ``auto``, ``off`` or a name; what a person has named is never held out.
            hold_out: the share of requests that go without, to be compared with.

        Raises:
            DataError: D043 when there is no procedure of that name. Those of the matching.
        """
        if wanted == OFF:
            return Choice(why="switched off")
        if wanted != AUTO:
            return self._named(wanted)
        matched = self._match(request)
        if matched.procedure is None or matched.version is None:
            return Choice(why="nothing applies")
        active = matched.version
        tried = [one for one in self._store.versions(active.name) if one.status is Status.TRIAL]
        chosen = choose(request, active, tried[0] if tried else None, hold_out)
        procedure = matched.procedure
        if chosen.version.sha != active.sha:
            procedure = self._store.read(active.name, chosen.version.sha)
        found = next(one for one in matched.found if one.name == active.name)
        why = f"score {found.score:.2f} of {found.threshold:.2f}"
        return Choice(procedure, chosen.version, chosen.held_out, why)

    def _named(self, name: str) -> Choice:
        for procedure, version in self._store.active():
            if procedure.name == name:
                return Choice(procedure, version, why="named")
        if name not in self._store.names():  # it says why: there is no folder, or nothing in it
            self._store.standing(name)
        try:
            newest = self._store.versions(name)[0]
        except DataError:  # it was never well-formed; this says what is wrong
            newest = self._store.standing(name)[1]
        return Choice(self._store.read(name, newest.sha), newest, why=f"named, {newest.status}")
