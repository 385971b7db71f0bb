from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import pytest

from cesello.adapters.prompt.demo_proposer import DemoProposer
from cesello.adapters.prompt.gepa_proposer import GepaProposer
from cesello.adapters.prompt.history_proposer import HistoryProposer
from cesello.adapters.prompt.merge_proposer import MergeProposer
from cesello.adapters.prompt.reflective_proposer import ReflectiveProposer
from cesello.adapters.prompt.rule_proposer import RuleProposer
from cesello.domain.conversation import Conversation, user
from cesello.domain.errors import UsageError
from cesello.domain.generation import Completion, Sampling
from cesello.domain.ports.prompt import PromptProposer
from cesello.domain.prompt_program import Demo, PromptProgram
from cesello.domain.prompt_search import SearchView, Task, Trial, TrialKey
from tests.fakes.prompt import ClauseProposer

SEED = PromptProgram("You answer questions.", "", "{question}")
OTHER = PromptProgram("You answer questions.\nBe brief.", "1. Read.", "Q: {question}")


class Rewriter:
    """A model that writes another text into the place that it is asked for."""

    def __init__(self) -> None:
        self.asked: list[Conversation] = []

    def generate(self, prompts: Sequence[Conversation], sampling: Sampling) -> list[Completion]:
        self.asked += prompts
        return [Completion(self._answer(prompt, sampling), 9, True) for prompt in prompts]

    def _answer(self, prompt: Conversation, sampling: Sampling) -> str:
        text = prompt.messages[-1].content
        begin = next((line for line in reversed(text.splitlines()) if line.startswith("begin ")), "```")
        end = begin.replace("begin", "end")
        return f"Sure.\n{begin}\nYou answer {{question}} well, number {sampling.seed}.\n{end}"


def made(kind: str) -> PromptProposer:
    match kind:
        case "fake":
            return ClauseProposer()
        case "rules":
            return RuleProposer()
        case "demos":
            return DemoProposer()
        case "merge":
            return MergeProposer()
        case "reflective":
            return ReflectiveProposer(Rewriter())
    return HistoryProposer(Rewriter())


KINDS = ["fake", "rules", "demos", "merge", "reflective", "history"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def view(
    parent: PromptProgram = SEED, editable: Sequence[str] = ("system", "procedure", "question", "demos")
) -> SearchView:
    """A search that has tried two programs on four tasks: the parent fails two, the other one another two."""
    tasks = {
        str(n): Task(str(n), user(f"question number {n}?"), f"the right answer {n}") for n in range(1, 5)
    }
    scores = {"1": 1.0, "2": 1.0, "3": 0.0, "4": 0.25}
    trials = {
        id: Trial(
            TrialKey(parent.id, id),
            score,
            () if score == 1 else ("functions:no_call",),
            completion=f"what was said to {id}",
        )
        for id, score in scores.items()
    }
    others = {"1": 0.0, "2": 1.0, "3": 1.0, "4": 1.0}
    return SearchView(
        parent,
        tuple(editable),
        trials,
        tasks,
        scores=[(OTHER.id, 0.75, 4), (parent.id, 0.5625, 4)],
        programs={parent.id: parent, OTHER.id: OTHER},
        task_scores={parent.id: scores, OTHER.id: others},
    )


def test_it_has_the_name_of_the_recipe(kind: str) -> None:
    proposer = made(kind)
    assert proposer.name == ("clauses" if kind == "fake" else kind)
    assert proposer.calls_each == (kind in ("reflective", "history"))


def test_it_has_ideas_and_never_more_than_it_is_asked_for(kind: str) -> None:
    for count in (1, 3, 5):
        proposals = made(kind).propose(view(), count, 1)
        assert 1 <= len(proposals) <= count
        assert len({one.program.id for one in proposals}) == len(proposals)
        assert all(one.edit for one in proposals)


def test_the_same_view_and_seed_give_the_same_and_other_seeds_others(kind: str) -> None:
    said = [[one.program for one in made(kind).propose(view(), 4, seed)] for seed in (1, 1, 2, 3)]
    assert said[0] == said[1]
    assert any(one != said[0] for one in said[2:])


def test_what_it_proposes_comes_from_the_parent_and_is_new(kind: str) -> None:
    for one in made(kind).propose(view(), 6, 2):
        assert SEED.id in one.parents
        assert one.program.id not in {SEED.id, OTHER.id}


def test_a_proposal_costs_no_more_than_it_says(kind: str) -> None:
    proposer = made(kind)
    assert all(0 <= one.calls <= proposer.calls_each for one in proposer.propose(view(), 4, 3))


@pytest.mark.parametrize("component", ["system", "procedure", "question", "demos"])
@pytest.mark.parametrize("kind", KINDS[1:])
def test_only_what_is_editable_is_changed(kind: str, component: str) -> None:
    for seed in range(4):
        for one in made(kind).propose(view(editable=[component]), 4, seed):
            kept = {name: getattr(one.program, name) for name in ("system", "procedure", "question", "demos")}
            del kept[component]
            assert kept == {name: getattr(SEED, name) for name in kept}
            assert "{question}" in one.program.question


@pytest.mark.parametrize("kind", KINDS[1:])
def test_where_nothing_was_tried_it_still_says_something_or_nothing(kind: str) -> None:
    nothing = SearchView(SEED, ("system", "demos"), {}, {})
    assert isinstance(list(made(kind).propose(nothing, 3, 1)), list)


def test_demos_are_of_the_search_part_and_right() -> None:
    answers = {f"question number {n}?": f"the right answer {n}" for n in range(1, 5)}
    for seed in range(10):
        for one in DemoProposer().propose(view(), 5, seed):
            assert one.program.demos
            assert all(answers[demo.question] == demo.answer for demo in one.program.demos)


def test_demos_are_bootstrapped_from_what_was_right_where_rows_have_no_answer() -> None:
    seen = view()
    seen = replace(seen, tasks={id: replace(task, answer="") for id, task in seen.tasks.items()})
    shown = {
        demo
        for seed in range(10)
        for one in DemoProposer().propose(seen, 5, seed)
        for demo in one.program.demos
    }
    assert shown == {
        Demo("question number 1?", "what was said to 1"),
        Demo("question number 2?", "what was said to 2"),
    }


def test_without_gepa_the_proposer_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gepa", None)
    with pytest.raises(UsageError, match="pip install gepa") as refused:
        GepaProposer(Rewriter())
    assert refused.value.code == "C130"
