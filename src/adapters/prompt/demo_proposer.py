"""Solved tasks as examples: right answers of the tasks themselves, or answers that scored best.

After BootstrapFewShot of DSPy (Khattab et al., 2023): examples come from what the program itself got right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random

from ...domain.prompt_program import Demo, PromptProgram
from ...domain.prompt_search import Proposal, SearchView
from .prompt_texts import DEMOS, first_line, new_ones, question_in

_MOST = 4
"""Demos of one program."""

_LONGEST = 2_000
"""Characters of question and answer together; a longer one costs more prompt than it is worth."""

_TRIES = 40
_SOLVED = 1.0 - 1e-9


class DemoProposer:
    """Adds a demo, exchanges one, takes one away, or shows two others. Short ones are likelier."""

    name = "demos"
    calls_each = 0

    def propose(self, view: SearchView, count: int, seed: int) -> Sequence[Proposal]:
        """See the port."""
        if DEMOS not in view.editable:
            return []
        draw = Random(f"{seed}/demos")
        known = _solved(view)
        return new_ones(_ideas(view, known, draw), view, count) if known else []


def _solved(view: SearchView) -> list[Demo]:
    """Of the search part alone, shortest first: the row's answer, or else one that could be no better."""
    found = []
    for id, task in sorted(view.tasks.items()):
        question, trial = question_in(task.conversation), view.trials.get(id)
        solved = trial is not None and trial.score is not None and trial.score >= _SOLVED
        answer = task.answer or (trial.completion if trial is not None and solved else "")
        if question and answer.strip() and len(question) + len(answer) <= _LONGEST:
            found.append(Demo(question, answer))
    return sorted(found, key=lambda demo: (len(demo.question) + len(demo.answer), demo.question))


def _ideas(view: SearchView, known: Sequence[Demo], draw: Random) -> Iterator[Proposal]:
    shown = view.parent.demos
    for turn in range(_TRIES):
        chosen = _drawn(known, shown, 2, draw)
        if not chosen:
            break
        match turn % 3:
            case 0 if len(shown) < _MOST:
                yield _with(view, (*shown, chosen[0]), f"demos: added {first_line([chosen[0].question])!r}")
            case 1 if shown:
                at = draw.randrange(len(shown))
                kept = (*shown[:at], chosen[0], *shown[at + 1 :])
                yield _with(view, kept, f"demos: {first_line([chosen[0].question])!r} in place of another")
            case 2 if not shown:
                yield _with(view, tuple(chosen), f"demos: {len(chosen)} of them")
    for at, demo in enumerate(shown):
        left = (*shown[:at], *shown[at + 1 :])
        yield _with(view, left, f"demos: took away {first_line([demo.question])!r}")


def _drawn(known: Sequence[Demo], shown: Sequence[Demo], most: int, draw: Random) -> list[Demo]:
    """Different ones that are not shown; the smaller of two draws, so that short ones are likelier."""
    left = [demo for demo in known if demo not in shown]
    found: list[Demo] = []
    while left and len(found) < most:
        found.append(left.pop(min(draw.randrange(len(left)), draw.randrange(len(left)))))
    return found


def _with(view: SearchView, demos: tuple[Demo, ...], edit: str) -> Proposal:
    program: PromptProgram = replace(view.parent, demos=demos)
    return Proposal(program, edit, (view.parent.id,))
