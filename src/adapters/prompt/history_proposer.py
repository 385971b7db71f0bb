"""A language model reads the prompts so far with their scores, best last, and writes a better one.

OPRO (Yang et al., "Large Language Models as Optimizers", ICLR 2024): solutions in ascending order of score.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from ...domain.ports.text import TextGenerator
from ...domain.prompt_search import Proposal, SearchView
from .model_edits import Editor, fenced
from .prompt_texts import editable_texts, scored

_SHOWN = 8
"""Prompts of one question."""

_LONGEST = 2_000


class HistoryProposer:
    """One call a proposal.

    Args:
        generator: who is asked.
    """

    name = "history"
    calls_each = 1

    def __init__(self, generator: TextGenerator, max_new_tokens: int = 512) -> None:
        self._editor = Editor(generator, max_new_tokens)

    def propose(self, view: SearchView, count: int, seed: int) -> Sequence[Proposal]:
        """See the port."""
        components = editable_texts(view)
        if not components or not view.scores:
            return []
        first = Random(f"{seed}/history").randrange(len(components))
        chosen = [components[(first + at) % len(components)] for at in range(count)]
        asked = [(one, _table(view, one), "written after earlier ones") for one in chosen]
        return self._editor.proposals(view, asked, seed)


def _table(view: SearchView, component: str) -> str:
    """Each text of the component once, under the best score of a program that has it."""
    best: dict[str, float] = {}
    for program, score in scored(view):
        text = program.text(component)
        best[text] = max(score, best.get(text, score))
    shown = sorted(best.items(), key=lambda pair: pair[1])[-_SHOWN:]
    parts = [f"Texts that were tried for the part {component!r}, with their scores, the best last."]
    parts += [fenced(f"score {score:.3f}", text[:_LONGEST] or "(empty)") for text, score in shown]
    parts.append("Write one that is different from all of these and would score higher.")
    return "\n\n".join(parts)
