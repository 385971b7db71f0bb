"""Which prompts are asked, and asked instead of others."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from cesello.domain.conversation import user
from cesello.domain.curriculum import PromptChoice, SuccessRates, success
from cesello.domain.reinforcement import Curriculum, PromptRow
from cesello.domain.tokens import token_row


@dataclass(frozen=True)
class Pool:
    name: str
    size: int

    def __len__(self) -> int:
        return self.size

    def row(self, index: int) -> PromptRow:
        ids = token_row([1, 2], [False, True])
        return PromptRow(ids.ids, ids.trained, False, user(f"{self.name} {index}"), self, index)


SUMS, WORDS = Pool("sums", 40), Pool("words", 40)


def named(rows: Sequence[PromptRow]) -> list[tuple[str, int]]:
    return [(row.pool.name, row.index) for row in rows if row.pool]


@pytest.mark.parametrize(
    ("rewards", "rate"),
    [([1.0, 0.0, 0.0, 1.0], 0.5), ([1.0, None], 1.0), ([-1.0, 1.0], 0.5), ([None, None], None), ([], None)],
)
def test_success_is_the_mean_reward(rewards: list[float | None], rate: float | None) -> None:
    assert success(rewards) == rate


def test_a_rate_goes_half_the_way_to_what_is_new() -> None:
    rates = SuccessRates()
    assert rates.expected("sums", 3) is None
    for rate in (1.0, 0.0, 0.0):
        rates.count("sums", 3, rate)
    assert rates.expected("sums", 3) == 0.25
    rates.count("sums", 4, 0.75)
    assert rates.expected("sums", 5) == 0.5
    assert rates.expected("words", 3) is None
    again = SuccessRates()
    again.load(json.loads(json.dumps(rates.as_plain())))
    assert again.as_plain() == rates.as_plain()


def test_without_a_curriculum_the_order_is_the_data_s() -> None:
    rows = [SUMS.row(3), WORDS.row(5)]
    choice = PromptChoice(None, 0)
    choice.learn(rows[0], [0.0, 0.0])
    assert choice.first(rows, 0) == rows
    assert choice.as_plain() == {}


def test_what_is_always_solved_makes_room_for_what_is_sometimes_and_sources_keep_their_places() -> None:
    choice = PromptChoice(Curriculum(candidates=4), 0)
    for index in range(40):
        # A quarter of them is solved half of the time; all others always.
        choice.learn(SUMS.row(index), [1.0, float(index % 4 > 0)])
        choice.learn(WORDS.row(index), [1.0, 1.0])
    asked = Counter[str]()
    middling = 0
    for number in range(50):
        order = [SUMS.row(number % 40), WORDS.row(number % 40), SUMS.row((number + 1) % 40)]
        rows = choice.first(order, number)
        asked.update(name for name, _ in named(rows))
        middling += sum(name == "sums" and index % 4 == 0 for name, index in named(rows))
        assert len(set(named(rows))) == 3
        # Where all are alike the order's own stays.
        assert named(rows)[1] == ("words", number % 40)
    assert asked == {"sums": 100, "words": 50}
    # By chance it would be 25 of 100; of four prompts at least one is such with probability 0.68.
    assert middling > 55


def test_a_choice_depends_on_the_seed_the_rollout_and_what_was_learnt_alone() -> None:
    def choose(seed: int, number: int) -> list[tuple[str, int]]:
        choice = PromptChoice(Curriculum(candidates=8), seed)
        for index in range(40):
            choice.learn(SUMS.row(index), [index / 40])
        again = PromptChoice(Curriculum(candidates=8), seed)
        again.load(json.loads(json.dumps(choice.as_plain())))
        order = [SUMS.row(0), SUMS.row(1), SUMS.row(2)]
        chosen = named(choice.first(order, number))
        assert named(again.first(order, number)) == chosen
        return chosen

    assert len({tuple(choose(seed, number)) for seed in (0, 1) for number in (0, 1, 2)}) > 3


def test_a_dead_group_gives_its_place_to_another_of_its_source() -> None:
    choice = PromptChoice(None, 0)
    order = [SUMS.row(0), WORDS.row(0), SUMS.row(1)]
    for turn in range(20):
        asked = choice.again({0: order[0], 1: order[1]}, order, 9, (7, turn))
        assert [name for name, _ in named(list(asked.values()))] == ["sums", "words"]
        assert not set(named(list(asked.values()))) & set(named(order))


def test_a_budget_is_not_spent_on_places_for_which_there_is_nothing() -> None:
    small = Pool("small", 1)
    order = [small.row(0), WORDS.row(0), WORDS.row(1)]
    asked = PromptChoice(None, 0).again(dict(enumerate(order)), order, 1, (0, 1))
    assert list(asked) == [1]


def test_a_source_with_nothing_else_has_nothing_to_give() -> None:
    small, lone = Pool("small", 2), PromptRow(SUMS.row(0).ids, b"\0\1", False, user("alone"))
    choice = PromptChoice(Curriculum(), 0)
    assert choice.again({0: small.row(0)}, [small.row(0), small.row(1)], 9, (0, 1)) == {}
    assert choice.again({0: lone}, [lone], 9, (0, 1)) == {}
    assert choice.first([lone, small.row(1)], 0)[0] == lone
    choice.learn(lone, [1.0])
