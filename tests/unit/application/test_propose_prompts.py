from __future__ import annotations

from dataclasses import dataclass, field, replace

from cesello.application.propose_prompts import ProposePrompts, digest
from cesello.domain.prompt_gate import PromptGate
from cesello.domain.prompt_program import PromptProgram
from cesello.domain.prompt_search import Proposal, SearchView, Trial, TrialKey
from tests.fakes.prompt import ClauseProposer, FakeLedger, ScriptedProposer, simulated_parts

SEED = PromptProgram(system="Answer.")
VIEW = SearchView(SEED, ("system",), {}, {})
PARTS = simulated_parts(9, 3, 5)


@dataclass
class Paid:
    """Says what it was asked; of two proposals it manages one."""

    name: str = "paid"
    calls_each: int = 2
    asked: list[int] = field(default_factory=list)

    def propose(self, view: SearchView, count: int, seed: int) -> list[Proposal]:
        self.asked.append(count)
        made = [SEED.with_text("system", f"Answer. {seed} {at}") for at in range((count + 1) // 2)]
        return [Proposal(one, "paid", (SEED.id,), 1, 10) for one in made]


def proposing(*proposers: object, ledger: FakeLedger | None = None, calls: int = 0) -> ProposePrompts:
    gate = PromptGate(SEED, ("system",), PARTS)
    return ProposePrompts(proposers, gate, ledger or FakeLedger(), calls, 3, lambda: 0.0)  # type: ignore[arg-type]


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


def test_calls_are_never_more_than_allowed_and_a_failed_one_counts() -> None:
    paid = Paid()
    propose = proposing(paid, calls=7)
    propose(VIEW, 6, 1)
    assert paid.asked == [3]
    # Two came and took one call each; the third may have taken two.
    assert propose.spent.optimizer_calls == 4
    assert propose.spent.tokens == 20
    propose(VIEW, 6, 2)
    assert paid.asked == [3, 1]
    assert propose.spent.optimizer_calls == 5
    propose(VIEW, 6, 3)
    propose(VIEW, 6, 4)
    assert propose.spent.optimizer_calls <= 7


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
