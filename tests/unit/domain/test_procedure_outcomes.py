from __future__ import annotations

from dataclasses import replace

import pytest

from cesello.domain.procedure import Outcome, ProcedureRun, Status, Version
from cesello.domain.procedure_outcomes import (
    HOLD_OUT,
    Tally,
    alike,
    choose,
    outcome_of,
    score,
    share_of,
    standing,
)

ACTIVE = Version("p", "a" * 64, "", "user", "", Status.ACTIVE)
DRAFT = Version("p", "d" * 64, ACTIVE.sha, "user", "", Status.DRAFT)


def run(
    number: int = 0, *, version: Version = ACTIVE, won: bool = True, held_out: bool = False
) -> ProcedureRun:
    outcome = Outcome.SUCCESS if won else Outcome.FAILURE
    return ProcedureRun(
        str(number), "p", version.sha, "request", "full", outcome, "", "", held_out, origin="generate"
    )


def test_requests_are_always_held_out_or_never() -> None:
    chosen = [choose(f"request {number}", ACTIVE, DRAFT) for number in range(5_000)]
    assert chosen == [choose(f"request {number}", ACTIVE, DRAFT) for number in range(5_000)]
    held = sum(one.held_out for one in chosen)
    assert held / 5_000 == pytest.approx(HOLD_OUT, abs=0.015)
    tried = sum(one.version is DRAFT for one in chosen)
    assert tried / (5_000 - held) == pytest.approx(0.5, abs=0.03)


def test_nothing_is_held_out_where_nothing_is_to_be() -> None:
    assert not any(choose(str(number), ACTIVE, hold_out=0.0).held_out for number in range(1_000))


def test_shares_hang_on_request_and_salt() -> None:
    assert share_of("a", "x") != share_of("b", "x")
    assert share_of("a", "x") != share_of("a", "y")
    assert 0 <= share_of("\ud800", "") < 1


def test_what_nothing_judged_does_not_count() -> None:
    assert score(run()) == 1
    for outcome in (Outcome.ABANDONED, Outcome.UNKNOWN):
        assert score(ProcedureRun("1", "p", "s", "r", "full", outcome, "", "")) is None
    rewarded = ProcedureRun("1", "p", "s", "r", "full", Outcome.UNKNOWN, "", "", reward=0.5)
    assert score(rewarded) == 0.75


def test_what_a_person_chose_is_not_compared_with_what_was_held_out() -> None:
    held = [run(won=False, held_out=True) for _ in range(20)]
    chosen = [replace(run(), origin="user") for _ in range(40)]
    found = standing([*chosen, *held], ACTIVE.sha)
    assert (found.uses, found.runs, found.compared, found.held) == (40, 40, 0, 20)
    assert found.belief.mean > 0.9
    assert found.matched.mean == 0.5


def test_a_training_is_compared_with_itself_alone() -> None:
    origins = ["user", "run-1", "generate", "run-2", "ask", "run-1"]
    runs = [replace(run(at), origin=origin) for at, origin in enumerate(origins)]
    assert [one.id for one in alike(runs, "run-1")] == ["1", "5"]
    assert [one.id for one in alike(runs, "ask")] == ["0", "2", "4"]
    assert alike(runs, "run-3") == []


@pytest.mark.parametrize(
    ("reward", "outcome"),
    [
        (1.0, Outcome.SUCCESS),
        (0.5, Outcome.SUCCESS),
        (0.0, Outcome.PARTIAL),
        (-0.5, Outcome.FAILURE),
        (None, Outcome.UNKNOWN),
    ],
)
def test_a_mean_reward_comes_to_an_outcome(reward: float | None, outcome: Outcome) -> None:
    assert outcome_of(reward) is outcome


def test_old_runs_count_half_after_fifty_more() -> None:
    tally = Tally()
    tally.add(1.0)
    once = tally.belief.alpha - 1
    for _ in range(50):
        tally.add(0.0)
    assert tally.belief.alpha - 1 == pytest.approx(once / 2)
    assert tally.runs == 51


def test_the_standing_of_a_version_compares_it_with_what_was_held_out() -> None:
    runs = [run() for _ in range(20)] + [run(won=False, held_out=True) for _ in range(5)]
    found = standing([*runs, run(version=DRAFT)], ACTIVE.sha)
    assert (found.uses, found.runs, found.held) == (20, 20, 5)
    assert found.lift > 0.5
    assert found.helps > 0.99
    assert found.interval.low > 0.7
