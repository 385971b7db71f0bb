"""The good parts of two prompts that are good at different tasks.

After GEPA's merge (Agrawal et al., 2025): parents come from the Pareto front over tasks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random

from ...domain.prompt_program import PromptProgram
from ...domain.prompt_search import Proposal, SearchView
from .prompt_texts import DEMOS, editable_texts, lines_of, new_ones, with_line

_MOST_DEMOS = 4


class MergeProposer:
    """Crosses the parent with each program that wins where the parent loses: one component of the other, all
    lines of both, the demos of both.
    """

    name = "merge"
    calls_each = 0

    def propose(self, view: SearchView, count: int, seed: int) -> Sequence[Proposal]:
        """See the port."""
        draw = Random(f"{seed}/merge")
        ideas = (one for other in _others(view) for one in _crossed(view, other, draw))
        return new_ones(ideas, view, count)


def _others(view: SearchView) -> list[PromptProgram]:
    """Programs that no other one dominates beside the parent, by how much they win where it loses."""
    own = view.task_scores.get(view.parent.id, {})
    gains = {
        id: _gain(scores, own)
        for id, scores in view.task_scores.items()
        if id in view.programs and id != view.parent.id
    }
    return [view.programs[id] for id in sorted(gains, key=lambda id: (-gains[id], id)) if gains[id] > 0]


def _gain(scores: Mapping[str, float], own: Mapping[str, float]) -> float:
    """What it wins together on tasks where it does better."""
    return sum(max(0.0, scores[task] - own[task]) for task in scores.keys() & own.keys())


def _crossed(view: SearchView, other: PromptProgram, draw: Random) -> Iterator[Proposal]:
    found = [*_united(view, other), *_exchanged(view, other), *_shown(view, other)]
    first, rest = found[:1], found[1:]
    draw.shuffle(rest)
    for program, edit in first + rest:
        yield Proposal(program, f"{edit} of {other.id}", (view.parent.id, other.id))


def _united(view: SearchView, other: PromptProgram) -> Iterator[tuple[PromptProgram, str]]:
    """The lines of the other that are not there yet, behind one's own; of the question there is but one."""
    program, changed = view.parent, []
    for component in editable_texts(view):
        if component == "question":
            continue
        own = lines_of(program.text(component))
        for line in lines_of(other.text(component)):
            if line not in own:
                program = program.with_text(component, with_line(program.text(component), line))
                changed.append(component)
    if changed:
        if DEMOS in view.editable and not program.demos:
            program = replace(program, demos=other.demos)
        yield program, f"{', '.join(dict.fromkeys(changed))}: with the lines"


def _exchanged(view: SearchView, other: PromptProgram) -> Iterator[tuple[PromptProgram, str]]:
    for component in editable_texts(view):
        if other.text(component) != view.parent.text(component):
            yield view.parent.with_text(component, other.text(component)), f"{component}: that"


def _shown(view: SearchView, other: PromptProgram) -> Iterator[tuple[PromptProgram, str]]:
    if DEMOS not in view.editable or other.demos == view.parent.demos:
        return
    if other.demos:
        yield replace(view.parent, demos=other.demos), "demos: those"
    both = tuple(dict.fromkeys((*view.parent.demos, *other.demos)))[:_MOST_DEMOS]
    yield replace(view.parent, demos=both), "demos: also those"
