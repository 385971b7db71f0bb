"""A language model reads failures with their reasons, and rewrites one component.

After GEPA's reflective mutation (Agrawal et al., 2025) and the textual gradients of ProTeGi (Pryzant et al.,
2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from ...domain.chatml import tools_as_text
from ...domain.ports.text import TextGenerator
from ...domain.prompt_search import Proposal, SearchView, Trial
from .model_edits import Editor, fenced
from .prompt_texts import editable_texts, failures

_SHOWN = 3
"""Failures of one question."""

_LONGEST = 1_500
"""Characters of each text of a failure."""


class ReflectiveProposer:
    """One call a proposal.

    Args:
        generator: who is asked.
    """

    name = "reflective"
    calls_each = 1

    def __init__(self, generator: TextGenerator, max_new_tokens: int = 512) -> None:
        self._editor = Editor(generator, max_new_tokens)

    def propose(self, view: SearchView, count: int, seed: int) -> Sequence[Proposal]:
        """See the port."""
        components, failed = editable_texts(view), failures(view)
        if not components or not failed:
            return []
        draw = Random(f"{seed}/reflective")
        asked = []
        for at in range(count):
            # The worst half, so that different questions show different failures.
            among = failed[: max(_SHOWN, (len(failed) + 1) // 2)]
            chosen = draw.sample(among, min(_SHOWN, len(among)))
            component = components[(at + draw.randrange(len(components))) % len(components)]
            asked.append((component, _report(view, chosen), f"rewritten after {len(chosen)} failures"))
        return self._editor.proposals(view, asked, seed)


def _report(view: SearchView, chosen: Sequence[Trial]) -> str:
    parts = ["A model was asked these tasks under a prompt, and its answers were judged."]
    for number, trial in enumerate(chosen, start=1):
        parts += [
            fenced(f"task {number}", question_of(view, trial)),
            fenced(f"its answer {number}", trial.completion[:_LONGEST]),
            fenced(f"how it was judged {number}", judgement(trial)),
        ]
        if right := view.tasks[trial.key.task].answer:
            parts.append(fenced(f"a right answer {number}", right[:_LONGEST]))
    parts.append(
        "Say what would have led to right answers, for tasks of this kind in general: do not mention these "
        "tasks, and give no answer of theirs away."
    )
    return "\n\n".join(parts)


def question_of(view: SearchView, trial: Trial) -> str:
    """All turns of the task, as a model reads them."""
    turns = tools_as_text(view.tasks[trial.key.task].conversation).messages
    return "\n".join(f"{turn.role}: {turn.content}" for turn in turns)[:_LONGEST]


def judgement(trial: Trial) -> str:
    """Score and reasons in words."""
    reasons = ", ".join(trial.reasons) or "none given"
    return f"score {trial.score:.2f} of 1; reasons: {reasons}" + (
        f"; verdict: {trial.verdict}" if trial.verdict else ""
    )
