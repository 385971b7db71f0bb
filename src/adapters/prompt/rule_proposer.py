"""Instructions by the reasons for which answers fail: needs no language model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, combinations, islice, zip_longest
from random import Random

from ...domain.prompt_program import PromptProgram
from ...domain.prompt_search import Proposal, SearchView
from .prompt_texts import editable_texts, failures, first_line, lines_of, new_ones, with_line, without_lines
from .reason_clauses import GENERAL, OWN, clauses_for

_LIKELY = 6
"""Instructions that are tried in twos."""


class RuleProposer:
    """Adds the instruction for a frequent reason that is not there yet; adds two; moves or takes away what it
    added before. A person's own sentences are never touched.
    """

    name = "rules"
    calls_each = 0

    def propose(self, view: SearchView, count: int, seed: int) -> Sequence[Proposal]:
        """See the port."""
        draw = Random(f"{seed}/rules")
        wanted = [clause for clause in _wanted(view, draw) if not _holds(view.parent, clause)]
        kinds = (_adding(view, wanted), _pairs(view, wanted), _removing(view, draw), _moving(view, draw))
        mixed = chain.from_iterable(zip_longest(*kinds))
        ideas = chain(islice(_adding(view, wanted), 1), (one for one in mixed if one is not None))
        return new_ones(ideas, view, count)


def _wanted(view: SearchView, draw: Random) -> list[str]:
    """Clauses in a drawn order, the likelier first the more failures they may help against; every third a
    general one. Another seed, another order: one that is asked again has something else to say.
    """
    weights: Counter[str] = Counter()
    for trial in failures(view):
        for reason in dict.fromkeys(trial.reasons):
            for rank, clause in enumerate(clauses_for(reason)):
                weights[clause] += 2 if rank == 0 else 1
    general = [clause for clause in GENERAL if clause not in weights]
    draw.shuffle(general)
    # Drawn by weight without putting back: Efraimidis and Spirakis, Information Processing Letters 97, 2006.
    by_reason = sorted(weights, key=lambda clause: -(draw.random() ** (1 / weights[clause])))
    found: list[str] = []
    while by_reason or general:
        found += by_reason[:2] + general[:1]
        by_reason, general = by_reason[2:], general[1:]
    return found


def _holds(program: PromptProgram, clause: str) -> bool:
    return any(clause in lines_of(program.text(one)) for one in ("system", "procedure", "question"))


def _adding(view: SearchView, wanted: Sequence[str]) -> Iterator[Proposal]:
    """One clause more, first where a model reads first, then in the other components."""
    for component in editable_texts(view):
        for clause in wanted:
            yield _edited(view, component, (clause,), f"{component}: added {first_line([clause])!r}")


def _pairs(view: SearchView, wanted: Sequence[str]) -> Iterator[Proposal]:
    for component in editable_texts(view)[:1]:
        for pair in combinations(wanted[:_LIKELY], 2):
            yield _edited(
                view,
                component,
                pair,
                f"{component}: added {' and '.join(repr(first_line([one])) for one in pair)}",
            )


def _edited(view: SearchView, component: str, clauses: Sequence[str], edit: str) -> Proposal:
    text = view.parent.text(component)
    for clause in clauses:
        text = with_line(text, clause)
    return Proposal(view.parent.with_text(component, text), edit, (view.parent.id,))


def _own(view: SearchView, draw: Random) -> list[tuple[str, str]]:
    """Component and clause of everything that rules have added, in a drawn order."""
    found = [
        (component, line)
        for component in editable_texts(view)
        for line in lines_of(view.parent.text(component))
        if line in OWN
    ]
    draw.shuffle(found)
    return found


def _removing(view: SearchView, draw: Random) -> Iterator[Proposal]:
    for component, clause in _own(view, draw):
        text = without_lines(view.parent.text(component), [clause])
        edit = f"{component}: took away {first_line([clause])!r}"
        yield Proposal(view.parent.with_text(component, text), edit, (view.parent.id,))


def _moving(view: SearchView, draw: Random) -> Iterator[Proposal]:
    """To the front of its text, or into another one."""
    for component, clause in _own(view, draw):
        rest = without_lines(view.parent.text(component), [clause])
        to_front = with_line(clause, rest) if rest else clause
        edit = f"{component}: moved {first_line([clause])!r} to the front"
        yield Proposal(view.parent.with_text(component, to_front), edit, (view.parent.id,))
        for other in editable_texts(view):
            if other != component:
                moved = view.parent.with_text(component, rest)
                moved = moved.with_text(other, with_line(moved.text(other), clause))
                edit = f"{component}: moved {first_line([clause])!r} to {other}"
                yield Proposal(moved, edit, (view.parent.id,))
