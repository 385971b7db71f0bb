"""What proposers see of a search, and how they change the texts of a program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...domain.conversation import Conversation, Role
from ...domain.prompt_program import COMPONENTS, PromptProgram
from ...domain.prompt_search import Proposal, SearchView, Trial

DEMOS = "demos"


def editable_texts(view: SearchView) -> list[str]:
    """The components that are texts and may be changed, in the order in which a model reads them."""
    return [component for component in COMPONENTS if component in view.editable]


def failures(view: SearchView) -> list[Trial]:
    """Trials of the parent that could be better, worst first; those that nobody could judge are left out."""
    judged = [one for one in view.trials.values() if one.score is not None]
    best = max((one.score for one in judged if one.score is not None), default=0.0)
    worse = [one for one in judged if one.score is not None and one.score < max(best, 1.0)]
    return sorted(worse, key=lambda one: (one.score, one.key.task))


def lines_of(text: str) -> list[str]:
    """A text's lines without the space around them; empty ones are left out."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def with_line(text: str, line: str) -> str:
    """The text with one line more at its end."""
    return f"{text.rstrip()}\n{line}" if text.strip() else line


def without_lines(text: str, unwanted: Iterable[str]) -> str:
    """The text without these lines."""
    left_out = set(unwanted)
    return "\n".join(line for line in text.splitlines() if line.strip() not in left_out).strip("\n")


def new_ones(proposals: Iterable[Proposal], view: SearchView, count: int) -> list[Proposal]:
    """The first of them that were not tried before, each program once."""
    known = {view.parent.id, *view.programs}
    found: list[Proposal] = []
    for one in proposals:
        if len(found) >= count:
            break
        if one.program.id not in known:
            known.add(one.program.id)
            found.append(one)
    return found


def question_in(conversation: Conversation) -> str | None:
    """What a task asks, where that is one turn of the user."""
    turns = [turn for turn in conversation.messages if turn.role is not Role.SYSTEM]
    return turns[0].content if len(turns) == 1 and turns[0].role is Role.USER else None


def scored(view: SearchView) -> list[tuple[PromptProgram, float]]:
    """The programs tried so far with their mean scores, worst first."""
    return [(view.programs[id], mean) for id, mean, _ in reversed(view.scores) if id in view.programs]


def first_line(texts: Sequence[str], longest: int = 60) -> str:
    """For a sentence about an edit."""
    line = " ".join(" ".join(texts).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
