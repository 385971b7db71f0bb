"""Find the procedure that a request is for, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..domain.ports.memory import Embedder
from ..domain.ports.procedure import ProcedureStore
from ..domain.procedure import Procedure, Version
from ..domain.procedure_match import Match, best, matches
from ..domain.request_features import normalised, says_something
from .learn_matching import LearnMatching, Ready


@dataclass(frozen=True, slots=True)
class Matched:
    """What was found for a request.

    Attributes:
        found: all procedures, best first.
        procedure, version: the one that applies; None: nothing does.
        note: what a person should know of the matching; empty: nothing.
    """

    found: Sequence[Match]
    procedure: Procedure | None
    version: Version | None
    note: str


class MatchProcedure:
    """Compares a request with what is known of the active procedures, which are read once."""

    def __init__(self, store: ProcedureStore, embedder: Embedder, learn: LearnMatching) -> None:
        self._store = store
        self._embedder = embedder
        self._learn = learn
        self._ready: Ready | None = None
        self._active: Sequence[tuple[Procedure, Version]] | None = None

    @property
    def identity(self) -> str:
        """What decides the matches besides the procedures' versions, on one line.

        Raises:
            CeselloError: those of the store and of the embedder.
        """
        procedures = [procedure for procedure, _ in self._store.active()]
        return self._learn.ready(procedures).identity if procedures else ""

    def __call__(self, request: str, tools: frozenset[str] | None = None) -> Matched:
        """What applies, and how all of them stand.

        Args:
            tools: that there are; None: any.

        Raises:
            CeselloError: those of the store and of the embedder.
        """
        if self._active is None:
            self._active = self._store.active()
        text = normalised(request)
        procedures = [procedure for procedure, _ in self._active]
        if not procedures:
            return Matched((), None, None, "no procedures yet: `cesello sop new --all` writes eight")
        if not says_something(text):
            return Matched((), None, None, "")
        if self._ready is None:
            self._ready = self._learn.ready(procedures)
        (vector,) = self._embedder.embed([text])
        found = matches(text, vector, self._ready.votes, procedures, tools)
        chosen = best(found)
        for procedure, version in self._active:
            if chosen is not None and procedure.name == chosen.name:
                return Matched(found, procedure, version, self._ready.note)
        return Matched(found, None, None, self._ready.note)
