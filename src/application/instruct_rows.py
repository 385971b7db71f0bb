"""Put the procedure that matches into a row's prompt, as `--sop auto` does into a question's."""

from __future__ import annotations

import json
from functools import cached_property
from hashlib import sha256

from ..domain.conversation import Conversation, Role
from ..domain.ports.procedure import ProcedureStore
from ..domain.procedure_prompt import Mode, with_procedure
from ..domain.prompt_program import PromptProgram
from .match_procedure import MatchProcedure


class InstructRows:
    """The rows of a training with the procedures that apply; none is held out.

    Args:
        mode: catalog or full.
    """

    def __init__(self, store: ProcedureStore, match: MatchProcedure, mode: Mode) -> None:
        self._store = store
        self._match = match
        self._mode = mode

    @cached_property
    def identity(self) -> str:
        """All that the rows depend on by it: the mode, the versions in use, and what matching has learnt.

        Raises:
            CeselloError: those of the store and of the embedder.
        """
        versions = [[version.name, version.sha] for _, version in self._store.active()]
        parts = json.dumps([self._mode, versions, self._match.identity])
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
        procedure = self._match(asked[-1]).procedure if asked and not row.is_plain_text else None
        if procedure is None:
            return shown
        return with_procedure(PromptProgram(), procedure, self._mode).around(shown)
