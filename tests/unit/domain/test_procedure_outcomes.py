from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from cesello.domain.procedure import Outcome, ProcedureRun, Status, Version
from cesello.domain.procedure_outcomes import (
    HOLD_OUT,
    LEAST_RUNS,
    Verdict,
    alike,
    belief,
    choose,
    outcome_of,
    score,
    share_of,
    standing,
    verdict,
)

ACTIVE = Version("p", "a" * 64, "", "user", "", Status.ACTIVE)
DRAFT = Version("p", "d" * 64, ACTIVE.sha, "user", "", Status.DRAFT)
SEEDS = range(40)
"""The documents have what 200 came to: it takes minutes."""


def run(
    number: int = 0, *, version: Version = ACTIVE, won: bool = True, held_out: bool = False
) -> ProcedureRun:
    outcome = Outcome.SUCCESS if won else Outcome.FAILURE
    return ProcedureRun(
        str(number), "p", version.sha, "request", "full", outcome, "", "", held_out, origin="generate"
    )


def history(
    seed: int, *, without: float, active: float, draft: float | None = None, requests: int = 400
) -> Verdict | None:
    """What becomes of versions with these chances of success, and a procedure-free chance beside."""
    random, runs = Random(seed), list[ProcedureRun]()
    for number in range(requests):
        chosen = choose(f"{seed}/{number}", ACTIVE, DRAFT if draft is not None else None)
        chance = without if chosen.held_out else active
        if draft is not None and not chosen.held_out and chosen.version is DRAFT:
            chance = draft
        won = random.random() < chance
        runs.insert(0, run(number, version=chosen.version, won=won, held_out=chosen.held_out))
        if found := verdict(runs, ACTIVE, DRAFT if draft is not None else None):
            return found
    return None


def fates(seeds: range = SEEDS, *, without: float, active: float, draft: float | None = None) -> Counter[str]:
    """What seeded histories came to."""
    found = [history(seed, without=without, active=active, draft=draft) for seed in seeds]
    return Counter("kept" if one is None else f"{one.version.status} {one.status}" for one in found)


def test_a_version_that_does_harm_is_quarantined_in_85_of_100_histories() -> None:
    assert fates(without=0.5, active=0.3)["active quarantined"] >= 34


@pytest.mark.parametrize("chance", [0.5, 0.8])
def test_a_version_that_changes_nothing_is_quarantined_in_at_most_15_of_100(chance: float) -> None:
    assert fates(without=chance, active=chance)["active quarantined"] <= 6


@pytest.mark.parametrize(("active", "most"), [(0.55, 4), (0.7, 1)])
def test_a_version_that_helps_is_hardly_ever_quarantined(active: float, most: int) -> None:
    assert fates(without=0.5, active=active)["active quarantined"] <= most


def test_a_better_draft_is_promoted_in_85_of_100_and_never_quarantined() -> None:
    found = fates(without=0.4, active=0.6, draft=0.8)
    assert found["draft active"] >= 34
    assert found["draft quarantined"] == 0


def test_a_worse_draft_is_never_promoted_and_quarantined_in_75_of_100() -> None:
    found = fates(without=0.4, active=0.6, draft=0.4)
    assert found["draft active"] == 0
    assert found["draft quarantined"] >= 30


def test_a_draft_that_changes_nothing_is_seldom_promoted_or_quarantined() -> None:
    found = fates(without=0.4, active=0.6, draft=0.6)
    assert found["draft active"] <= 5
    assert found["draft quarantined"] <= 5


def test_nothing_is_decided_before_there_are_runs() -> None:
    runs = [run(won=False) for _ in range(LEAST_RUNS - 1)] + [run(held_out=True) for _ in range(50)]
    assert verdict(runs, ACTIVE) is None
    assert verdict([], ACTIVE, DRAFT) is None


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
    bad = [replace(run(won=False), origin="user") for _ in range(200)]
    good = [run(held_out=True) for _ in range(50)]
    assert all(verdict([*bad[at:], *good], ACTIVE) is None for at in range(200))
    assert all(verdict([*good, *bad[at:]], ACTIVE, DRAFT) is None for at in range(200))


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
    once = belief([1.0]).alpha - 1
    later = belief([1.0, *[0.0] * 50]).alpha - 1
    assert later == pytest.approx(once / 2)


def test_the_standing_of_a_version_compares_it_with_what_was_held_out() -> None:
    runs = [run() for _ in range(20)] + [run(won=False, held_out=True) for _ in range(5)]
    found = standing([*runs, run(version=DRAFT)], ACTIVE.sha)
    assert (found.uses, found.runs, found.held) == (20, 20, 5)
    assert found.lift > 0.5
    assert found.helps > 0.99
    assert found.interval.low > 0.7
