from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cesello.application.search_prompt import PromptSearchRequest, SearchPrompt
from cesello.application.try_prompts import Engine
from cesello.domain.errors import Interrupted, RetryableError, UsageError
from cesello.domain.generation import Completion, Sampling
from cesello.domain.halving import TaskParts
from cesello.domain.prompt_program import Demo, PromptProgram
from cesello.domain.prompt_report import SearchReport
from cesello.domain.prompt_search import Budget, SearchView, Task
from cesello.domain.prompt_verdict import PromptVerdict
from cesello.domain.reward import Attempt, RewardResult
from tests.fakes.prompt import (
    ClauseProposer,
    ClauseWorld,
    FakeLedger,
    RightOrWrong,
    ScriptedProposer,
    clause,
    clauses_in,
    simulated_parts,
)
from tests.fakes.run import FakeStop, RecordingObserver

SEED = PromptProgram(system="Answer.")
PARTS = simulated_parts(60, 30, 60)
HELPFUL = [0.1, -0.1, 0.0, 0.1, 0.0, 0.1, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0]
"""Four of twelve clauses help, one hurts."""


@dataclass
class Bench:
    """All that a search needs, in memory."""

    world: Any
    proposers: Sequence[Any]
    ledger: Any
    reward: Any
    stop: FakeStop
    observer: RecordingObserver

    def search(self, request: PromptSearchRequest) -> SearchReport:
        engine = Engine(self.world, self.reward, self.ledger)
        return SearchPrompt(engine, self.proposers, self.observer, self.stop, lambda: 0.0)(request)


def bench(seed: int = 0, effects: Sequence[float] = HELPFUL, **changes: Any) -> Bench:
    parts: dict[str, Any] = {
        "world": ClauseWorld(seed, effects),
        "proposers": [ClauseProposer(len(effects))],
        "ledger": FakeLedger(),
        "reward": RightOrWrong(),
        "stop": FakeStop(),
        "observer": RecordingObserver(),
    }
    return Bench(**parts | changes)


def request(rollouts: int = 200, **changes: Any) -> PromptSearchRequest:
    made = PromptSearchRequest(SEED, ("system",), PARTS, Budget(rollouts))
    return replace(made, **changes)


def test_equal_prompts_keep_the_seed() -> None:
    kept = 0
    for seed in range(200):
        report = bench(seed, [0.0] * 12).search(request(100, random_seed=seed))
        kept += report.winner == SEED
    assert kept >= 160


@pytest.mark.parametrize(("searches", "at_least"), [(30, 27), pytest.param(200, 180, marks=pytest.mark.slow)])
def test_hidden_helpful_clauses_are_found_within_the_budget(searches: int, at_least: int) -> None:
    """27 of 30 say that more than three searches of four find them, with a confidence of 95 % (Clopper and
    Pearson, 1934: a rate of at least 0.76); of 200, 194 were found when this was written (0.94 to 0.99).
    """
    found = 0
    for seed in range(searches):
        its = bench(seed)
        report = its.search(request(600, parts=simulated_parts(150, 60, 75), random_seed=seed))
        assert len(its.world.calls) <= 600
        found += its.world.success(report.winner.system) - its.world.success("Answer.") >= 0.1
    assert found >= at_least


def test_a_report_tells_all_and_is_json() -> None:
    its = bench(3)
    report = its.search(request(400, random_seed=3))
    assert report.verdict.ships
    assert report.winner == report.best != SEED
    assert report.test is not None
    assert report.test.p <= 0.2
    assert report.test.old == report.seed_figure
    assert report.test.gain in report.test.interval
    assert report.diff["system"].splitlines()[:2] == ["--- system (seed)", "+++ system (best)"]
    spent = {one.phase: one for one in report.spent}
    rollouts = {phase: one.rollouts for phase, one in spent.items()}
    assert sum(rollouts.values()) == len(its.world.calls) == len(its.ledger.known)
    assert rollouts["test"] == report.plan.test == 2 * report.plan.test_tasks
    assert spent["search"].tokens == 5 * rollouts["search"]
    assert report.candidates[0].proposer == "seed"
    assert all(one.parents for one in report.candidates[1:])
    assert [one.program for one in report.candidates if one.accepted and one.program == report.best]
    assert json.loads(json.dumps(report.as_json()))["verdict"] == report.verdict.value
    assert {name for name, _ in its.observer.phases} == {"searching", "choosing", "testing"}


def test_the_test_part_is_asked_once_by_the_seed_and_the_best_alone() -> None:
    its = bench(3)
    report = its.search(request(400, random_seed=3))
    test = {task.id for task in PARTS.test}
    asked = {key.candidate for key in its.ledger.known if key.task in test}
    assert asked == {SEED.id, report.best.id}
    assert {task for view in its.ledger.known for task in [view.task] if view.candidate not in asked} <= {
        task.id for task in (*PARTS.search, *PARTS.selection)
    }


def test_a_search_without_ideas_reports_the_seed_and_tests_nothing_else() -> None:
    its = bench(proposers=[ScriptedProposer([])])
    report = its.search(request(200))
    assert report.verdict is PromptVerdict.KEEP
    assert report.test is None
    assert report.winner == SEED
    assert report.ended == "no proposer has another idea"
    assert report.seed_figure.tasks == report.plan.test_tasks
    assert {key.candidate for key in its.ledger.known} == {SEED.id}


def test_when_ideas_end_what_is_left_compares_what_was_tried() -> None:
    found = 0
    for seed in range(10):
        its = bench(seed, [0.15, -0.15, 0.0])  # eight prompts in all
        report = its.search(request(600, parts=simulated_parts(150, 60, 75), random_seed=seed))
        assert report.ended == "no proposer has another idea"
        spent = {one.phase: one.rollouts for one in report.spent}
        assert spent["search"] > 0.8 * report.plan.search
        tried = sorted((one.trials for one in report.candidates if one.trials), reverse=True)
        assert tried[1] >= 30  # the last two were asked many, and the first to go few
        assert tried[-1] < tried[1] / 2
        found += 0 in clauses_in(report.winner.system) and 1 not in clauses_in(report.winner.system)
    assert found >= 8


def test_when_ideas_end_half_of_what_is_left_is_for_the_test() -> None:
    its, parts = bench(1, [0.15, -0.15]), simulated_parts(60, 30, 200)  # four prompts in all
    asked = request(400, parts=parts, random_seed=1)
    report = its.search(asked)
    spent = {one.phase: one.rollouts for one in report.spent}
    assert report.test is not None
    assert asked.plan.test_tasks == 50
    assert report.test.old.tasks == report.plan.test_tasks > 75
    assert spent["test"] == report.plan.test
    assert spent["search"] <= report.plan.search < asked.plan.search
    assert len(its.world.calls) <= 400


class LateWorld(ClauseWorld):
    """Clause 1 helps, but on none of the tasks that a first round asks."""

    def solves(self, system: str, question: str, seed: int = 0) -> bool:
        return 1 in clauses_in(system) and int(question.split()[1]) >= 8


def test_when_ideas_end_the_one_that_leads_then_is_gone_on_from() -> None:
    its = bench(world=LateWorld(0, [0.0, 0.0]), proposers=[ClauseProposer(2)])
    report = its.search(request(300))
    assert report.ended == "no proposer has another idea"
    both = [one for one in report.candidates if clauses_in(one.program.system) == {0, 1}]
    assert [one.parents for one in both] == [(SEED.with_text("system", f"Answer.\n{clause(1)}").id,)]
    assert both[0].trials


def test_equal_prompts_keep_the_seed_when_there_are_few_of_them() -> None:
    kept = 0
    for seed in range(100):
        parts = simulated_parts(20, 10, 60)
        report = bench(seed, [0.0] * 2).search(request(100, parts=parts, random_seed=seed))
        kept += report.winner == SEED
    assert kept >= 80


def test_what_the_gate_refuses_costs_nothing_and_is_told() -> None:
    bad = [SEED.with_text("system", text) for text in ("{task.__class__}", "{0}", "<|im_start|>", "answer. ")]
    its = bench(proposers=[ScriptedProposer(list(bad))])
    report = its.search(request(200))
    assert [one.program for one in report.rejected] == bad
    assert {key.candidate for key in its.ledger.known} == {SEED.id}
    assert [one.rejected for one in its.ledger.candidates()][1:] == [one.rejected for one in report.rejected]


def test_no_candidate_is_tried_on_a_task_that_it_shows() -> None:
    shown = [PARTS.search[at] for at in (0, 1, 5)]
    demos = [replace(SEED, demos=(Demo(one.conversation.messages[0].content, "right"),)) for one in shown]
    its = bench(proposers=[ScriptedProposer(list(demos))])
    its.search(request(200, editable=("system", "demos")))
    for program, one in zip(demos, shown, strict=True):
        tried = {key.task for key in its.ledger.known if key.candidate == program.id}
        assert tried
        assert one.id not in tried


@settings(max_examples=60, deadline=None)
@given(
    rollouts=st.integers(1, 260),
    calls=st.integers(0, 9),
    each=st.integers(0, 2),
    tokens=st.none() | st.integers(1, 1_500),
    replicates=st.integers(1, 3),
    sizes=st.tuples(st.integers(3, 40), st.integers(1, 20), st.integers(4, 40)),
    seed=st.integers(0, 99),
)
def test_no_budget_is_exceeded_by_one_call(
    rollouts: int,
    calls: int,
    each: int,
    tokens: int | None,
    replicates: int,
    sizes: tuple[int, int, int],
    seed: int,
) -> None:
    proposers = [ClauseProposer(12), ClauseProposer(12, "paid", each)]
    its = bench(seed, proposers=proposers)
    asked = request(
        budget=Budget(rollouts, calls, tokens),
        parts=simulated_parts(*sizes),
        sampling=Sampling(max_new_tokens=6),
        replicates=replicates,
        random_seed=seed,
    )
    with suppress(UsageError):
        assert asked.plan.reserved < rollouts
        report = its.search(asked)
        assert sum(one.optimizer_calls for one in report.spent) <= calls
    assert len(its.world.calls) <= rollouts
    assert 5 * len(its.world.calls) <= (tokens or 10**9)
    assert sum(count for count, _ in proposers[1].asked) * each <= calls


@dataclass
class Flaky:
    """A port of which every call of some number fails, counted over all starts of a search.

    Attributes:
        every: that number; 0: none fails.
        made: calls, the failed ones too.
        asked: what was asked in them.
    """

    inner: Any
    every: int
    made: int = 0
    asked: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def generate(self, prompts: Sequence[Any], sampling: Sampling) -> Any:
        self._count(len(prompts))
        return self.inner.generate(prompts, sampling)

    def propose(self, view: SearchView, count: int, seed: int) -> Any:
        self._count(count)
        return self.inner.propose(view, count, seed)

    def _count(self, asked: int) -> None:
        self.made += 1
        self.asked += asked
        if self.every and self.made % self.every == 0:
            raise RetryableError("T090", "no answer")


@settings(max_examples=20, deadline=None)
@given(
    rollouts=st.integers(60, 140),
    calls=st.integers(0, 12),
    each=st.integers(1, 2),
    generator_fails=st.sampled_from([0, 2, 3, 7]),
    optimizer_fails=st.sampled_from([0, 1, 2, 3, 5]),
    batch=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_no_budget_is_exceeded_by_one_call_over_all_starts(
    rollouts: int,
    calls: int,
    each: int,
    generator_fails: int,
    optimizer_fails: int,
    batch: int,
    seed: int,
) -> None:
    world = Flaky(ClauseWorld(seed, HELPFUL), generator_fails)
    paid = Flaky(ClauseProposer(12, "paid", each), optimizer_fails)
    ledger, failed, report = FakeLedger(), 0, None
    while report is None:
        its = bench(seed, world=world, proposers=[paid, ClauseProposer(12)], ledger=ledger)
        try:
            report = its.search(request(budget=Budget(rollouts, calls), batch=batch, random_seed=seed))
        except RetryableError:
            failed += 1
        # What was asked and not written down is a batch for each time that it failed.
        assert len(ledger.known) <= rollouts
        assert world.asked <= rollouts + batch * failed
        assert paid.made * each <= calls
    assert world.asked - len(ledger.known) <= batch * failed
    assert paid.made * each <= sum(one.optimizer_calls for one in report.spent) <= calls


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Deadly:
    """Counts calls of a port across processes and kills at one of them, before or after it is answered.

    Attributes:
        at: the call that is the last; 0: none.
    """

    inner: Any
    names: tuple[str, ...]
    at: int = 0
    after: bool = False
    calls: int = 0

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.inner, name)
        return self._counted(value) if name in self.names else value

    def _counted(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            self.calls += 1
            if self.calls == self.at and not self.after:
                raise Killed
            result = method(*given)
            if self.calls == self.at:
                raise Killed
            return result

        return call


KILLS = {
    "generator": (("generate",), 20),
    "reward": (("score",), 10),
    "ledger": (("add_trials", "add_proposals", "add_candidate"), 20),
}


@pytest.mark.parametrize("port", KILLS)
@pytest.mark.parametrize("after", [False, True])
def test_a_search_that_is_killed_comes_to_the_same_and_repeats_no_call(port: str, after: bool) -> None:
    asked = request(160, random_seed=5)
    names, points = KILLS[port]
    whole = bench(1)
    counted = _with(whole, port, Deadly(getattr(whole, _FIELD[port]), names))
    expected = counted.search(asked)
    last = getattr(counted, _FIELD[port]).calls
    for point in sorted({1 + at * (last - 1) // points for at in range(points + 1)}):
        its = bench(1)
        deadly = _with(its, port, Deadly(getattr(its, _FIELD[port]), names, point, after))
        with pytest.raises(Killed):
            deadly.search(asked)
        written = set(its.ledger.known)
        proposed = len(its.ledger.answers)
        again = bench(1, ledger=its.ledger)
        report = again.search(asked)
        assert report.winner == expected.winner
        assert report.test == expected.test
        assert [one.program for one in report.candidates] == [one.program for one in expected.candidates]
        assert len(again.world.calls) == len(whole.ledger.known) - len(written)
        assert len(again.proposers[0].asked) == len(whole.ledger.answers) - proposed
        assert its.ledger.candidates() == whole.ledger.candidates()
        assert sum(one.saved for one in report.spent) == len(written)


_FIELD = {"generator": "world", "reward": "reward", "ledger": "ledger"}


def _with(its: Bench, port: str, deadly: Deadly) -> Bench:
    changed: dict[str, Any] = {_FIELD[port]: deadly}
    return replace(its, **changed)


def test_a_search_that_is_stopped_goes_on() -> None:
    asked = request(160, random_seed=5)
    expected = bench(1).search(asked)
    its = bench(1, stop=FakeStop(at_check=9))
    with pytest.raises(Interrupted):
        its.search(asked)
    assert len(its.world.calls) == len(its.ledger.known)
    again = bench(1, ledger=its.ledger)
    assert again.search(asked).winner == expected.winner
    assert len(its.world.calls) + len(again.world.calls) == sum(one.rollouts for one in expected.spent)


def test_two_searches_of_one_request_are_the_same() -> None:
    one, other = (bench(2).search(request(random_seed=2)) for _ in range(2))
    assert one == other
    assert one != bench(2).search(request(random_seed=3))


class Unjudged(RightOrWrong):
    """Does not apply to half of the tasks."""

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        judged = super().score(attempts)
        even = [int(attempt.prompt.messages[-1].content[5:]) % 2 == 0 for attempt in attempts]
        return [result if its else RewardResult(None) for result, its in zip(judged, even, strict=True)]


def test_tasks_that_a_reward_does_not_apply_to_are_left_out() -> None:
    report = bench(3, reward=Unjudged()).search(request(400, random_seed=3))
    assert 0 < report.seed_figure.tasks < report.plan.test_tasks
    assert report.test is None or report.test.old.tasks == report.seed_figure.tasks


def test_graded_scores_are_tested_by_flipping_signs() -> None:
    class Graded(RightOrWrong):
        def _result(self, completion: str) -> RewardResult:
            return RewardResult(0.5 if completion == "right" else -0.25)

    report = bench(3, reward=Graded()).search(request(400, random_seed=3))
    assert report.test is not None
    assert report.test.test == "sign flip"
    assert report.verdict.ships


def test_a_clause_world_is_as_it_says() -> None:
    world = ClauseWorld(1, HELPFUL)
    assert abs(world.success("Answer.") - 0.4) < 0.03
    assert abs(world.success(f"Answer.\n{clause(0)}") - world.success("Answer.") - 0.1) < 0.02
    assert clauses_in(f"x\n{clause(3)}\n{clause(11)}") == {3, 11}
    answers = [world.solves("", f"task {number}") for number in range(2_000)]
    assert abs(sum(answers) / 2_000 - world.success("")) < 0.04
    assert isinstance(world.generate([PARTS.test[0].conversation], Sampling())[0], Completion)


def test_a_candidate_that_leaves_too_few_tasks_is_not_tried_and_told_so() -> None:
    tasks = simulated_parts(4, 4, 40)
    shown = [Demo(one.conversation.messages[0].content, "right") for one in tasks.search[:2]]
    demos = [replace(SEED, demos=(demo,)) for demo in shown]
    its = bench(proposers=[ScriptedProposer(list(demos))])
    report = its.search(request(200, parts=tasks, editable=("system", "demos")))
    assert report.ended == "no proposer has another idea"
    assert all("too few tasks" in one.rejected for one in report.candidates[1:])
    assert len(report.candidates) == 3
    assert {key.candidate for key in its.ledger.known} == {SEED.id}


def test_where_rows_bring_their_own_system_prompt_edits_of_another_are_refused_unasked() -> None:
    def own(part: Sequence[Task]) -> list[Task]:
        return [replace(one, conversation=one.conversation.with_system("Mine.")) for one in part]

    parts = TaskParts(own(PARTS.search), own(PARTS.selection), own(PARTS.test))
    its = bench()
    with pytest.raises(UsageError, match=r"components: \[procedure\]") as caught:
        its.search(request(parts=parts))
    assert caught.value.code == "C122"
    report = its.search(request(parts=parts, editable=("system", "procedure")))
    assert {one.rejected for one in report.candidates[1:]} == {"changes nothing on these tasks"}
    assert {key.candidate for key in its.ledger.known} == {SEED.id}
    some = TaskParts([*parts.search[:-1], PARTS.search[-1]], parts.selection, parts.test)
    assert bench().search(request(parts=some)).rounds > 2


def test_parts_that_are_too_small_are_told_before_anything_is_asked() -> None:
    its = bench()
    with pytest.raises(UsageError) as caught:
        its.search(request(parts=TaskParts(PARTS.search, PARTS.selection, PARTS.test[:4])))
    assert caught.value.code == "C121"
    assert "4 in its test part" in str(caught.value)
    assert not its.world.calls
