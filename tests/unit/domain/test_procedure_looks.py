"""Which version is kept: what seeded histories come to, and what counts in them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.procedure_outcomes import ACTIVE, DRAFT, fates, run, runs_of
from cesello.domain.procedure import Change, ProcedureRun, Status
from cesello.domain.procedure_looks import EVERY, LEAST_HELD, LEAST_RUNS, begun, first_verdict, verdict

SEEDS = range(40)
"""The documents have what 200 came to."""


def test_a_version_that_does_harm_is_quarantined_in_85_of_100_histories() -> None:
    assert fates(SEEDS, without=0.5, active=0.3)["active quarantined"] >= 34


@pytest.mark.parametrize("chance", [0.5, 0.8])
def test_a_version_that_changes_nothing_is_quarantined_in_at_most_15_of_100(chance: float) -> None:
    assert fates(SEEDS, without=chance, active=chance)["active quarantined"] <= 6


@pytest.mark.parametrize(("active", "most"), [(0.55, 4), (0.7, 1)])
def test_a_version_that_helps_is_hardly_ever_quarantined(active: float, most: int) -> None:
    assert fates(SEEDS, without=0.5, active=active)["active quarantined"] <= most


def test_a_better_draft_is_promoted_in_85_of_100_and_never_quarantined() -> None:
    found = fates(SEEDS, without=0.4, active=0.6, draft=0.8)
    assert found["trial active"] >= 34
    assert found["trial quarantined"] == 0


def test_a_worse_draft_is_never_promoted_and_quarantined_in_75_of_100() -> None:
    found = fates(SEEDS, without=0.4, active=0.6, draft=0.4)
    assert found["trial active"] == 0
    assert found["trial quarantined"] >= 30


def test_a_draft_that_changes_nothing_is_seldom_promoted_or_quarantined() -> None:
    found = fates(SEEDS, without=0.4, active=0.6, draft=0.6)
    assert found["trial active"] <= 5
    assert found["trial quarantined"] <= 5


def test_nothing_is_decided_before_there_are_runs() -> None:
    runs = [run(won=False) for _ in range(LEAST_RUNS - 1)] + [run(held_out=True) for _ in range(50)]
    assert verdict(runs, ACTIVE) is None
    assert verdict([], ACTIVE, DRAFT) is None
    assert verdict(harm(200), None, DRAFT) is None


@pytest.mark.parametrize(("active", "draft"), [(0.3, None), (0.6, 0.8), (0.6, 0.4)])
def test_runs_that_are_told_at_once_come_to_what_they_come_to_one_by_one(
    active: float, draft: float | None
) -> None:
    tried = None if draft is None else DRAFT
    for seed in range(3):
        runs = runs_of(seed, 0.5, active, draft)
        one_by_one = (verdict(runs[at:], ACTIVE, tried) for at in reversed(range(len(runs))))
        assert first_verdict(runs, ACTIVE, tried) == next((one for one in one_by_one if one), None)


def test_what_a_person_chose_decides_nothing() -> None:
    bad = [replace(run(won=False), origin="user") for _ in range(200)]
    good = [run(held_out=True) for _ in range(50)]
    assert first_verdict([*bad, *good], ACTIVE) is None
    assert first_verdict([*good, *bad], ACTIVE, DRAFT) is None


def harm(runs: int, started: str = "") -> list[ProcedureRun]:
    """Runs that fail, behind enough that went well without the procedure, newest first."""
    failed = [replace(run(won=False), started=started) for _ in range(runs)]
    return failed + [replace(run(held_out=True), started=started) for _ in range(LEAST_HELD)]


def change(status: Status, at: str, sha: str = ACTIVE.sha) -> Change:
    return Change(sha, status, "", at)


AGAIN = [change(Status.ACTIVE, "3"), change(Status.QUARANTINED, "2"), change(Status.ACTIVE, "1")]


def test_what_is_brought_back_is_judged_by_what_comes_after() -> None:
    before = harm(LEAST_RUNS + EVERY, "1")
    assert verdict(before, ACTIVE) is not None
    assert verdict(before, ACTIVE, None, AGAIN) is None
    after = harm(LEAST_RUNS + EVERY, "4")
    few = after[1:]
    assert verdict([*few, *before], ACTIVE, None, AGAIN) is None
    found = verdict([*after, *before], ACTIVE, None, AGAIN)
    assert found is not None
    assert found.status is Status.QUARANTINED
    assert "after 30 runs and 15 without it" in found.reason


def test_what_a_rejected_draft_did_is_not_held_against_its_next_trial() -> None:
    lost = [run(version=DRAFT, won=False) for _ in range(LEAST_RUNS)]
    runs = [*lost, *(run() for _ in range(LEAST_RUNS))]
    found = verdict(runs, ACTIVE, DRAFT)
    assert found is not None
    assert found.status is Status.QUARANTINED
    statuses = (Status.TRIAL, Status.QUARANTINED, Status.TRIAL)
    tried = [change(one, at, DRAFT.sha) for one, at in zip(statuses, "321", strict=True)]
    assert verdict(runs, ACTIVE, DRAFT, tried) is None
    assert verdict([replace(one, started="4") for one in runs], ACTIVE, DRAFT, tried) == found


def test_a_draft_is_compared_with_what_is_brought_back_by_what_comes_after() -> None:
    before = [replace(run(version=one), started="1") for one in (ACTIVE, DRAFT) for _ in range(100)]
    changes = [*AGAIN, change(Status.TRIAL, "1", DRAFT.sha)]
    one_more = replace(run(version=DRAFT), started="4")
    assert verdict([*[one_more] * LEAST_RUNS, *before], ACTIVE, DRAFT, AGAIN[2:]) is None
    assert verdict([*[one_more] * (LEAST_RUNS - 1), *before], ACTIVE, DRAFT, changes) is None
    assert verdict(before[LEAST_RUNS:], ACTIVE, DRAFT, changes) is None
    lost = replace(run(won=False), started="4")
    found = verdict([*[one_more, lost] * LEAST_RUNS, *before], ACTIVE, DRAFT, changes)
    assert found is not None
    assert found.status is Status.ACTIVE
    assert "after 20 runs" in found.reason


def test_a_next_trial_leaves_what_is_known_of_the_active_version() -> None:
    runs = harm(LEAST_RUNS + EVERY, "1")
    tried = [change(one, at, DRAFT.sha) for one, at in ((Status.TRIAL, "3"), (Status.RETIRED, "2"))]
    assert verdict(runs, ACTIVE, DRAFT, tried) == verdict(runs, ACTIVE) is not None


@pytest.mark.parametrize(
    ("newest_first", "expected"),
    [
        ((Status.ACTIVE, Status.DRAFT), ""),
        ((Status.ACTIVE, Status.TRIAL), ""),
        ((Status.ACTIVE, Status.ACTIVE), ""),
        ((Status.TRIAL, Status.DRAFT, Status.TRIAL), ""),
        ((Status.ACTIVE, Status.QUARANTINED, Status.ACTIVE), "3"),
        ((Status.ACTIVE, Status.TRIAL, Status.RETIRED, Status.TRIAL), "3"),
        ((Status.TRIAL, Status.QUARANTINED, Status.ACTIVE, Status.RETIRED), "4"),
        ((Status.RETIRED, Status.ACTIVE), ""),
    ],
)
def test_what_counts_begins_where_it_was_brought_back(
    newest_first: tuple[Status, ...], expected: str
) -> None:
    times = range(len(newest_first), 0, -1)
    changes = [change(one, str(at)) for one, at in zip(newest_first, times, strict=True)]
    assert begun(changes, ACTIVE.sha) == expected
    assert begun(changes, DRAFT.sha) == ""
