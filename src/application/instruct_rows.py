"""Put the procedure that matches into a row's prompt, as `--sop auto` does into a question's."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cached_property
from hashlib import sha256

from ..domain.conversation import Conversation, GivenProcedure, Role
from ..domain.ports.procedure import ProcedureStore
from ..domain.procedure_outcomes import choose
from ..domain.procedure_prompt import Mode, procedure_text
from .match_procedure import MatchProcedure

_FORM = 1
"""Of what is kept with a row: raised whenever that changes."""


class InstructRows:
    """The rows of a training with the procedures that apply.

    Args:
        mode: catalog or full.
        hold_out: the share of rows that go without the procedure that matches them, always the same ones.
    """

    def __init__(
        self, store: ProcedureStore, match: MatchProcedure, mode: Mode, hold_out: float = 0.0
    ) -> None:
        self._store = store
        self._match = match
        self._mode = mode
        self._hold_out = hold_out

    @cached_property
    def identity(self) -> str:
        """All that the rows depend on by it: the mode, the share that is held out, the versions in use, and
        what matching has learnt.

        Raises:
            CeselloError: those of the store and of the embedder.
        """
        versions = [[version.name, version.sha] for _, version in self._store.active()]
        parts = json.dumps([_FORM, self._mode, self._hold_out, versions, self._match.identity])
        names = ", ".join(f"{name} {sha[:8]}" for name, sha in versions)
        return f"{self._mode}: {names or 'none'}; {sha256(parts.encode()).hexdigest()[:16]}"

    def __call__(self, row: Conversation, shown: Conversation) -> Conversation:
        """The row as the model meets it; plain text stays plain, and so does what nothing applies to.

        Args:
            row: as it was read, whose last turn of the user is matched.
            shown: the same with what is put around every row.

        Raises:
            CeselloError: those of ``MatchProcedure``.
        """
        asked = [turn.content for turn in row.messages if turn.role is Role.USER]
        if not asked or row.is_plain_text:
            return shown
        matched = self._match(request := asked[-1])
        if matched.procedure is None or matched.version is None:
            return shown
        version = matched.version
        held_out = choose(request, version, hold_out=self._hold_out).held_out
        mode = Mode.OFF if held_out else self._mode
        text = procedure_text(matched.procedure, mode)
        given = GivenProcedure(version.name, version.sha, str(mode), request, text)
        return replace(shown.behind_system(text), procedure=given)
