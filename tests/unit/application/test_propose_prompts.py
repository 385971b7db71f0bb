from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from cesello.application.propose_prompts import ProposePrompts, digest
from cesello.domain.errors import Interrupted, RetryableError
from cesello.domain.prompt_gate import PromptGate
from cesello.domain.prompt_program import PromptProgram
from cesello.domain.prompt_search import Proposal, SearchView, Trial, TrialKey
from tests.fakes.prompt import ClauseProposer, FakeLedger, ScriptedProposer, simulated_parts
from tests.fakes.run import FakeStop

SEED = PromptProgram(system="Answer.")
VIEW = SearchView(SEED, ("system",), {}, {})
PARTS = simulated_parts(9, 3, 5)


@dataclass
class Paid:
    """Says what it was asked, and fails at one call.

    Attributes:
        fails: the call that fails; 0: none.
    """

    name: str = "paid"
    calls_each: int = 2
    asked: list[int] = field(default_factory=list)
    fails: int = 0

    def propose(self, view: SearchView, count: int, seed: int) -> list[Proposal]:
        self.asked.append(count)
        if len(self.asked) == self.fails:
            raise RetryableError("T090", "no answer")
        made = [SEED.with_text("system", f"Answer. {seed} {at}") for at in range(count)]
        return [Proposal(one, "paid", (SEED.id,), 1, 10) for one in made]


def proposing(
    *proposers: Any,
    ledger: FakeLedger | None = None,
    calls: int = 0,
    stop: FakeStop | None = None,
    model: str = "",
) -> ProposePrompts:
    gate = PromptGate(SEED, ("system",), PARTS)
    ledger, stop = ledger or FakeLedger(), stop or FakeStop()
    return ProposePrompts(proposers, gate, ledger, calls, 3, stop, lambda: 0.0, model)


def test_as_many_as_are_wanted_come_and_are_written_down() -> None:
    ledger = FakeLedger()
    found = proposing(ClauseProposer(), ledger=ledger)(VIEW, 5, 1)
    assert len({one.program.id for one in found}) == 5
    assert ledger.records == found


def test_others_take_the_turns_of_those_without_ideas() -> None:
    few = ScriptedProposer([SEED.with_text("system", "Think.")])
    found = proposing(few, ClauseProposer())(VIEW, 8, 1)
    assert len(found) == 8
    assert {one.proposer for one in found} == {"scripted", "clauses"}


def test_refused_ones_are_kept_with_the_reason_and_replaced() -> None:
    bad = ScriptedProposer([SEED.with_text("system", "{x!r}")] * 6)
    propose = proposing(bad, ClauseProposer())
    assert len(propose(VIEW, 6, 1)) == 6
    assert "formatted" in next(one.rejected for one in propose.candidates if one.rejected)


def test_calls_are_never_more_than_allowed_and_a_proposal_pays_for_all_that_it_may_take() -> None:
    paid = Paid()
    propose = proposing(paid, calls=7)
    assert len(propose(VIEW, 6, 1)) == 3
    assert paid.asked == [1, 1, 1]
    assert (propose.spent.optimizer_calls, propose.spent.tokens) == (6, 30)
    propose(VIEW, 6, 2)
    assert paid.asked == [1, 1, 1]


def test_a_call_that_failed_is_paid_for_and_what_came_before_it_is_kept() -> None:
    ledger, paid = FakeLedger(), Paid(calls_each=1, fails=3)
    with pytest.raises(RetryableError):
        proposing(paid, ledger=ledger, calls=5)(VIEW, 6, 1)
    again = Paid(calls_each=1)
    propose = proposing(again, ledger=ledger, calls=5)
    assert propose.spent.optimizer_calls == 3
    assert len(propose(VIEW, 6, 1)) == 4
    assert len(again.asked) == 2
    assert (propose.spent.optimizer_calls, propose.spent.saved) == (5, 2)


def test_calls_that_always_fail_end_with_the_budget() -> None:
    ledger, made = FakeLedger(), 0
    for _ in range(4):
        paid = Paid(fails=1)
        with pytest.raises(RetryableError):
            proposing(paid, ledger=ledger, calls=8)(VIEW, 6, 1)
        made += len(paid.asked)
    assert not proposing(Paid(fails=1), ledger=ledger, calls=8)(VIEW, 6, 1)
    assert made == 4


def test_it_stops_between_two_calls() -> None:
    ledger, paid = FakeLedger(), Paid(calls_each=1)
    with pytest.raises(Interrupted):
        proposing(paid, ledger=ledger, calls=9, stop=FakeStop(at_check=3))(VIEW, 6, 1)
    assert len(paid.asked) == 2
    assert proposing(Paid(), ledger=ledger).spent.optimizer_calls == 2


def test_what_another_language_model_wrote_is_not_seen() -> None:
    ledger, other = FakeLedger(), Paid(calls_each=1)
    proposing(Paid(calls_each=1), ledger=ledger, calls=3, model="small")(VIEW, 2, 1)
    proposing(other, ledger=ledger, calls=3, model="large")(VIEW, 2, 1)
    assert len(other.asked) == 2


def test_nobody_is_asked_the_same_twice() -> None:
    ledger = FakeLedger()
    paid = Paid()
    first = proposing(paid, ledger=ledger, calls=100)
    expected = first(VIEW, 4, 1)
    again = Paid()
    second = proposing(again, ledger=ledger, calls=100)
    assert second(VIEW, 4, 1) == expected
    assert not again.asked
    assert second.spent.saved == first.spent.optimizer_calls == second.spent.optimizer_calls
    assert ledger.records == expected


def test_those_whose_candidates_won_are_asked_more() -> None:
    good, bad = ClauseProposer(name="good"), ClauseProposer(name="bad")
    propose = proposing(good, bad)
    for _ in range(30):
        propose.note("good", True)
        propose.note("bad", False)
    propose(VIEW, 8, 1)
    assert sum(count for count, _ in good.asked) > sum(count for count, _ in bad.asked)


def test_a_digest_stands_for_all_that_is_seen() -> None:
    trial = Trial(TrialKey(SEED.id, "t"), 1.0, completion="x")
    views = [
        VIEW,
        replace(VIEW, parent=SEED.with_text("system", "x")),
        replace(VIEW, editable=("system", "demos")),
        replace(VIEW, trials={"t": trial}),
        replace(VIEW, trials={"t": replace(trial, completion="y")}),
        replace(VIEW, scores=[("a", 0.5, 2)]),
        replace(VIEW, programs={SEED.id: SEED}),
        replace(VIEW, task_scores={"a": {"t": 0.5}}),
    ]
    assert len({digest(view) for view in views}) == len(views)
    assert digest(VIEW) == digest(replace(VIEW))
