"""Ways to answer, side by side on rows that none of them was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from cesello.application.compare_ways import CompareRequest, CompareWays, Cost, Seen, Way, WaysCompared
from cesello.application.prepare_source import PreparedSource
from cesello.domain.conversation import Conversation, GivenProcedure, Message, Role
from cesello.domain.errors import DataError, Interrupted
from cesello.domain.example import Example
from cesello.domain.generation import Completion, Sampling
from cesello.domain.model_spec import ModelSpec
from cesello.domain.prompt_program import PromptProgram
from cesello.domain.reward import Attempt, Reads, RewardResult
from cesello.domain.source import SourceSpec
from tests.fakes.examples import FakeExamples
from tests.fakes.model import FACTS, FakeEncoder, FakePolicy
from tests.fakes.run import FakeStop, RecordingObserver

SYSTEM = "Help."
BASE = Way("seed prompt", "base", ModelSpec("tiny"), None, PromptProgram(SYSTEM))


class Sums(FakePolicy):
    """Adds when its prompt or its weights tell it to."""

    def generate(
        self, prompts: Sequence[Conversation], sampling: Sampling, *, lora: bool = True
    ) -> tuple[Completion, ...]:
        self.asked += [(prompt, lora) for prompt in prompts]
        return tuple(Completion(self._answer(prompt, lora), 3, True) for prompt in prompts)

    def _answer(self, prompt: Conversation, lora: bool) -> str:
        number = int(prompt.messages[-1].content.split()[-1])
        knows = "Add." in prompt.messages[0].content or (lora and number % 2)
        return str(number + 1) if knows else "?"


class IsNext:
    """The number after that of the question."""

    name = "next"
    parts: tuple[str, ...] = ()
    range = (0.0, 1.0)
    reads = frozenset({Reads.COMPLETION, Reads.REFERENCE})

    def __init__(self, unknown: int = -1) -> None:
        self._unknown = unknown

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        return [
            RewardResult(
                None
                if one.prompt.reference["n"] == self._unknown
                else float(one.completion == str(one.prompt.reference["n"] + 1))
            )
            for one in attempts
        ]


def row(number: int, system: str = SYSTEM) -> Conversation:
    turns = (Message(Role.USER, f"after {number}"), Message(Role.ASSISTANT, str(number + 1)))
    return Conversation(turns, reference={"n": number}).with_system(system)


def seen(held: Sequence[Conversation], trained: Sequence[Conversation], weight: float = 1.0) -> Seen:
    conversations = [*held, *trained]
    encoded = zip(conversations, FakeEncoder().encode(conversations), strict=True)
    examples = FakeExamples([Example(f"n:{at}", *one) for at, one in enumerate(encoded)])
    at = len(held)
    source = PreparedSource(
        SourceSpec("n", weight=weight), "memory", examples, len(examples), range(at, len(examples)), range(at)
    )
    return Seen((source,), SYSTEM)


def compared(
    ways: Mapping[str, Way],
    recipes: Sequence[Seen],
    *,
    reward: IsNext | None = None,
    stop: FakeStop | None = None,
    policies: dict[str, Sums] | None = None,
    rows: int = 24,
) -> WaysCompared:
    loaded: dict[str, Sums] = {} if policies is None else policies

    def load(way: Way) -> Sums:
        return loaded.setdefault(way.name, Sums(FACTS))

    compare = CompareWays(load, reward or IsNext(), RecordingObserver(), stop or FakeStop())
    return compare(CompareRequest(list(ways.values()), "n", "next", rows, recipes, Sampling(8), 2))


WAYS = {
    "base": BASE,
    "prompt": Way("better prompt", "apo", ModelSpec("tiny"), None, PromptProgram("Add."), Cost(60, 500)),
    "tuned": Way("tuned", "sft", ModelSpec("tiny"), Path("run/lora"), PromptProgram(SYSTEM), Cost(600)),
}
HELD = [row(number) for number in range(6)]


def test_what_a_recipe_found_for_a_row_is_no_part_of_the_task() -> None:
    given = GivenProcedure("add", "1", "full", "after 1", "Add.")
    held = [replace(one.behind_system(given.text), procedure=given) for one in HELD]
    policies: dict[str, Sums] = {}
    found = compared({"base": BASE}, [seen(held, [row(9)])], policies=policies)
    assert (found.tasks, found.ways[0].solved) == (6, 0)
    assert [prompt.messages[0].content for prompt, _ in policies["seed prompt"].asked] == [SYSTEM] * 6


def test_ways_are_measured_on_the_same_tasks_beside_the_first() -> None:
    policies: dict[str, Sums] = {}
    found = compared(WAYS, [seen(HELD, [row(9)])], policies=policies)
    base, prompt, tuned = found.ways
    assert (found.tasks, found.seen_by_some) == (6, 0)
    assert [one.solved for one in found.ways] == [0, 6, 3]
    assert base.beside_first is None
    assert prompt.beside_first is not None
    assert (prompt.beside_first.gain, prompt.beside_first.wins, prompt.cost.rollouts) == (1.0, 6, 500)
    assert tuned.beside_first is not None
    assert (tuned.beside_first.wins, tuned.beside_first.losses, tuned.cost.seconds) == (3, 0, 600)
    assert [lora for _, lora in policies["tuned"].asked] == [True] * 6
    assert not any(lora for _, lora in policies["better prompt"].asked)
    assert policies["better prompt"].asked[0][0].messages[0].content == "Add."
    assert tuned.tokens == 3
    assert tuned.prompt_characters == len(SYSTEM + "after 0")


def test_it_says_what_training_brings_over_the_best_prompt() -> None:
    found = compared(WAYS, [seen(HELD, [])]).training
    assert found is not None
    assert (found.prompt, found.trained) == ("better prompt", "tuned")
    assert (found.comparison.wins, found.comparison.losses) == (0, 3)
    assert compared({"base": BASE}, [seen(HELD, [])]).training is None


def test_what_any_recipe_has_trained_on_is_no_task() -> None:
    found = compared(WAYS, [seen(HELD, []), seen([], [row(0), row(3, "")])])
    assert (found.tasks, found.seen_by_some) == (4, 2)


def test_a_source_that_is_only_evaluated_on_was_not_trained_on() -> None:
    assert compared(WAYS, [seen(HELD, []), seen([], [row(0)], weight=0.0)]).tasks == 6


def test_a_row_that_one_way_cannot_be_judged_on_counts_for_none() -> None:
    found = compared(WAYS, [seen(HELD, [])], reward=IsNext(unknown=2))
    assert found.tasks == 5
    assert {one.figure.tasks for one in found.ways} == {5}


def test_at_most_so_many_rows_are_asked() -> None:
    assert compared(WAYS, [seen(HELD, [])], rows=2).tasks == 2


@pytest.mark.parametrize("held", [[], HELD])
def test_no_task_left_is_said(held: Sequence[Conversation]) -> None:
    with pytest.raises(DataError) as raised:
        compared(WAYS, [seen(held, HELD)])
    assert raised.value.code == "D060"
    assert "hold rows out" in str(raised.value)


def test_it_stops_between_two_batches() -> None:
    with pytest.raises(Interrupted):
        compared(WAYS, [seen(HELD, [])], stop=FakeStop(at_check=2))
