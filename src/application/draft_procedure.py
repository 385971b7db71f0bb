"""Make a version of a procedure out of what a prompt search has found for its text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..domain.errors import UsageError
from ..domain.ports.procedure import ProcedureFormat, ProcedureStore
from ..domain.procedure import Status, Version
from ..domain.prompt_program import PromptProgram
from ..domain.prompt_verdict import PromptVerdict
from ..domain.run import RunStatus, RunSummary
from ..domain.run_checks import mapping


class DraftProcedure:
    """Records the winner of a search as a draft: a person reads it, and tries or promotes it.

    Args:
        prompt: what stands in the prompt file of a run's folder.
    """

    def __init__(
        self, store: ProcedureStore, form: ProcedureFormat, prompt: Callable[[Path], PromptProgram]
    ) -> None:
        self._store = store
        self._form = form
        self._prompt = prompt

    def __call__(self, name: str, run: RunSummary) -> Version:
        """The version that was searched with another body; its author is the run.

        Args:
            run: a search with ``apo.procedure_of``.

        Raises:
            UsageError: C124 when it has searched no text of that procedure, has not ended, or has found
                nothing better, or when its prompt is another now. InvalidRecipe: C131 to C133, of its prompt.
            DataError: D042 when the text is none of a procedure's, D043 when the version that was searched is
                not here.
        """
        search = mapping(run.manifest.get("search"))
        begun = mapping(search.get("procedure"))
        _check(name, run, search, begun)
        program = self._prompt(Path(run.path))
        if program.id != search.get("winner"):
            what, fix = "its prompt is another now than the search has found", "put prompt.yaml back"
            raise UsageError("C124", what, where=run.path, got=program.id, fix=fix)
        old = self._store.version(name, str(begun.get("sha")))
        files = self._form.with_body(self._store.files(name, old.sha), program.procedure)
        made = self._store.add(name, files, author=run.id, parent=old.sha)
        if made.author != run.id or made.status is not Status.DRAFT or made.reason:
            return made  # it is known already, and may be in use
        return self._store.set_status(name, made.sha, Status.DRAFT, _reason(search))


def _check(name: str, run: RunSummary, search: Mapping[str, Any], begun: Mapping[str, Any]) -> None:
    """That a search of this procedure has found something."""
    if begun.get("name") != name:
        what = "the run has searched no text of that procedure"
        got = f"a search for {begun['name']}" if begun else "a run without apo.procedure_of"
        fix = f"search it first, with apo.procedure_of: {name}"
    elif run.status is not RunStatus.COMPLETED:
        what, got, fix = "the search has not ended", str(run.status), "go on with it: --resume"
    elif search.get("verdict") == PromptVerdict.KEEP:
        what, got = "the search has found nothing better", str(PromptVerdict.KEEP)
        fix = "keep the text as it is, or search with more rollouts and held-out tasks"
    else:
        return
    raise UsageError("C124", what, where=run.id, got=got, fix=fix)


def _reason(search: Mapping[str, Any]) -> str:
    """For a person, who decides about it."""
    gain, tasks, p = (search.get(name) for name in ("gain", "test_tasks", "p"))
    if not isinstance(gain, float) or not isinstance(p, float):
        return str(search.get("verdict"))
    return f"{search.get('verdict')}: gain {gain:+.3f} on {tasks} held-out tasks, p {p:.3g}"
