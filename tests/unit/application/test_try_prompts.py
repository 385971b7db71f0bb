from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from cesello.application.try_prompts import Engine, TryPrompts
from cesello.domain.conversation import Conversation
from cesello.domain.errors import Interrupted, SandboxError
from cesello.domain.generation import Completion, Sampling
from cesello.domain.prompt_program import PromptProgram
from cesello.domain.prompt_search import Budget, TrialKey
from cesello.domain.reward import Attempt, RewardResult, infra_error
from tests.fakes.prompt import ClauseWorld, FakeLedger, RightOrWrong, simulated_parts
from tests.fakes.run import FakeStop, RecordingObserver

SEED = PromptProgram(system="Answer.")
OTHER = PromptProgram(system="Answer.\nClause 0.")
TASKS = simulated_parts(20, 0, 0).search


@dataclass
class Recorded:
    """Answers right; keeps what it was asked, a batch at a time."""

    batches: list[tuple[int, int]] = field(default_factory=list)

    def generate(self, prompts: Sequence[Conversation], sampling: Sampling) -> list[Completion]:
        self.batches.append((len(prompts), sampling.seed))
        return [Completion("right", 3, True) for _ in prompts]


class Failing(RightOrWrong):
    """A grader that works no more from some call on."""

    def __init__(self, works: int) -> None:
        self._works = works
        self.shown: list[Attempt] = []

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        self.shown += attempts
        self._works -= 1
        return super().score(attempts) if self._works >= 0 else [infra_error("no_sandbox")] * len(attempts)


def trying(generator: Any, ledger: FakeLedger, budget: Budget | None = None, **changes: Any) -> TryPrompts:
    reward = changes.pop("reward", RightOrWrong())
    stop = changes.pop("stop", FakeStop())
    sampling = Sampling(max_new_tokens=4, seed=7)
    engine = Engine(generator, reward, ledger)
    budget = budget or Budget(1_000)
    clock = iter(range(10**6))
    observer = RecordingObserver()
    observer.phase("searching")
    return TryPrompts(engine, budget, sampling, observer, stop, seconds=lambda: float(next(clock)), **changes)


def test_tasks_are_asked_in_batches_and_once() -> None:
    generator, ledger = Recorded(), FakeLedger()
    ask = trying(generator, ledger, batch=8)
    asked = [(SEED, task) for task in TASKS]
    assert ask.cost([*asked, *asked]) == 20
    ask(asked, "search")
    ask([*asked, (OTHER, TASKS[0])], "search")
    assert generator.batches == [(8, 7), (8, 7), (4, 7), (1, 7)]
    assert len(ledger.known) == 21
    assert ask.scores(SEED.id) == {task.id: 1.0 for task in TASKS}
    assert ask.left == 1_000 - 21


def test_replicates_differ_in_their_seed() -> None:
    generator, ledger = Recorded(), FakeLedger()
    ask = trying(generator, ledger, replicates=3)
    ask([(SEED, TASKS[0]), (SEED, TASKS[1])], "search")
    assert generator.batches == [(2, 7), (2, 8), (2, 9)]
    assert TrialKey(SEED.id, TASKS[1].id, 2) in ledger.known


def test_a_score_is_the_mean_of_replicates() -> None:
    world = ClauseWorld(1, [0.0])
    ask = trying(world, FakeLedger(), replicates=9)
    ask([(SEED, task) for task in TASKS], "search")
    assert any(0 < score < 1 for score in ask.scores(SEED.id).values())


def test_what_the_ledger_knows_is_not_asked_but_counts() -> None:
    ledger = FakeLedger()
    trying(Recorded(), ledger)([(SEED, task) for task in TASKS[:12]], "search")
    generator = Recorded()
    again = trying(generator, ledger, Budget(20))
    again([(SEED, task) for task in TASKS[:16]], "search")
    assert sum(size for size, _ in generator.batches) == 4
    assert again.left == 4
    [spent] = again.spent
    assert (spent.rollouts, spent.saved, spent.tokens) == (16, 12, 48)
    assert spent.seconds == pytest.approx(1.0)


def test_more_than_is_left_is_refused_before_anything_is_asked() -> None:
    generator = Recorded()
    ask = trying(generator, FakeLedger(), Budget(10))
    with pytest.raises(ValueError, match="11 rollouts are more than the 10"):
        ask([(SEED, task) for task in TASKS[:11]], "search")
    assert not generator.batches


def test_tokens_are_reserved_as_if_every_answer_were_the_longest() -> None:
    ask = trying(Recorded(), FakeLedger(), Budget(100, tokens=40))
    assert ask.left == 10
    ask([(SEED, task) for task in TASKS[:5]], "search")
    assert ask.left == (40 - 15) // 4


def test_a_grader_that_fails_stops_it_and_the_answers_are_graded_when_it_goes_on() -> None:
    ledger, asked = FakeLedger(), [(SEED, task) for task in TASKS]
    with pytest.raises(SandboxError) as caught:
        trying(Recorded(), ledger, reward=Failing(1))(asked, "search")
    assert caught.value.code == "X010"
    assert len(ledger.known) == 16
    still = Recorded()
    with pytest.raises(SandboxError):
        trying(still, ledger, reward=Failing(0))(asked, "search")
    assert not still.batches
    generator = Recorded()
    again = trying(generator, ledger)
    again(asked, "search")
    assert generator.batches == [(4, 7)]
    assert again.scores(SEED.id) == {task.id: 1.0 for task in TASKS}
    assert {one.score for one in ledger.known.values()} == {1.0}


class FailingOnce(RightOrWrong):
    """A grader that fails on one answer, of the first batch."""

    failed = False

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        results = super().score(attempts)
        if not self.failed:
            self.failed = True
            results[0] = infra_error("no_sandbox", "it is away")
        return results


def test_what_a_search_went_on_without_stays_unjudged_and_counts_when_it_goes_on() -> None:
    ledger, asked = FakeLedger(), [(SEED, task) for task in TASKS]
    first = trying(Recorded(), ledger, reward=FailingOnce())
    first(asked, "search")
    generator = Recorded()
    again = trying(generator, ledger, reward=FailingOnce())
    again(asked, "search")
    assert not generator.batches
    assert again.scores(SEED.id) == first.scores(SEED.id)
    assert len(again.scores(SEED.id)) == 19
    # One of twenty is let pass; a second one of them is too many.
    with pytest.raises(SandboxError, match="2 of 21") as caught:
        again([(OTHER, TASKS[0])], "search")
    assert "it is away" in str(caught.value)


def test_a_server_that_counts_more_tokens_than_an_answer_may_have_does_not_break_the_budget() -> None:
    @dataclass
    class Longwinded(Recorded):
        def generate(self, prompts: Sequence[Conversation], sampling: Sampling) -> list[Completion]:
            return [Completion("right", sampling.max_new_tokens + 3, False) for _ in prompts]

    ask = trying(Longwinded(), FakeLedger(), Budget(100, tokens=40))
    for task in TASKS[:10]:
        ask([(SEED, task)], "search")
    assert ask.left == 0
    assert sum(one.tokens for one in ask.spent) == 40


def test_a_prompt_cannot_speak_to_the_grader() -> None:
    grader = Failing(9)
    trying(Recorded(), FakeLedger(), reward=grader)([(SEED, TASKS[0])], "search")
    assert [attempt.prompt for attempt in grader.shown] == [TASKS[0].conversation]


def test_it_stops_between_batches() -> None:
    ledger = FakeLedger()
    with pytest.raises(Interrupted):
        trying(Recorded(), ledger, stop=FakeStop(at_check=2))([(SEED, task) for task in TASKS], "search")
    assert len(ledger.known) == 8
