from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

from cesello.application.learn_from_outcomes import LearnFromOutcomes
from cesello.application.learn_from_training import LearnFromTraining
from cesello.domain.errors import StorageError
from cesello.domain.procedure import Outcome, Procedure, ProcedureRun, Status
from cesello.domain.procedure_outcomes import share_of
from tests.fakes.procedure import FakeProcedureStore
from tests.fakes.procedure_log import FakeProcedureLog
from tests.fakes.run import FixedClock, RecordingObserver

CHECKS = Procedure("run-checks", "Runs all checks. Use for checks.", "Run make check.\n")


@pytest.fixture
def store() -> FakeProcedureStore:
    made = FakeProcedureStore()
    made.place(CHECKS)
    return made


def learning(store: FakeProcedureStore, log: FakeProcedureLog) -> tuple[LearnFromTraining, RecordingObserver]:
    observer = RecordingObserver()
    return LearnFromTraining(LearnFromOutcomes(store, log), observer, FixedClock()), observer


def given(store: FakeProcedureStore, request: str, mode: str = "full") -> Mapping[str, str]:
    sha = store.active()[0][1].sha
    return {"name": "run-checks", "sha": sha, "mode": mode, "request": request}


def test_a_request_is_one_run_with_the_mean_reward_of_all_its_answers(store: FakeProcedureStore) -> None:
    log = FakeProcedureLog()
    learn, _ = learning(store, log)
    answers = [("a", 1.0), ("b", -1.0), ("a", 0.5), ("b", None), ("c", None), ("a", 0.0)]
    learn("run-7", "before", [(given(store, request), reward) for request, reward in answers])
    found = {run.request: (run.reward, run.outcome, run.origin, run.started) for run in log.runs()}
    assert found == {
        "a": (0.5, Outcome.SUCCESS, "run-7", "before"),
        "b": (-1.0, Outcome.FAILURE, "run-7", "before"),
        "c": (None, Outcome.UNKNOWN, "run-7", "before"),
    }


def test_what_is_told_again_is_learnt_once(store: FakeProcedureStore) -> None:
    log = FakeProcedureLog()
    learn, _ = learning(store, log)
    for _ in range(2):
        learn("run-7", "before", [(given(store, f"request {n}"), 1.0) for n in range(5)])
    assert len(log.rows) == 10
    assert len(log.runs()) == 5
    learn("run-8", "before", [(given(store, "request 1"), 1.0)])
    assert len(log.runs()) == 6


def test_nothing_is_written_where_nothing_matched(store: FakeProcedureStore) -> None:
    log = FakeProcedureLog()
    learn, _ = learning(store, log)
    learn("run-7", "before", [])
    assert not log.rows


def trained(store: FakeProcedureStore, share: float) -> list[tuple[Mapping[str, str], float]]:
    """A training of 200 requests that the procedure harms."""
    requests = [f"request {n}" for n in range(200)]
    held = {one for one in requests if share_of(one, "run-checks/hold-out") < share}
    return [
        (given(store, one, "off" if one in held else "full"), 1.0 if one in held else -1.0)
        for one in requests
    ]


def test_a_training_that_holds_out_some_finds_what_does_harm(store: FakeProcedureStore) -> None:
    learn, observer = learning(store, FakeProcedureLog())
    sha = store.active()[0][1].sha
    learn("run-7", "before", trained(store, 0.2))
    assert store.version("run-checks", sha).status is Status.QUARANTINED
    assert any("is quarantined: P(it helps)" in note for note in observer.notes)


def test_what_is_told_again_does_not_undo_what_a_person_decided_since(store: FakeProcedureStore) -> None:
    learn, observer = learning(store, FakeProcedureLog())
    sha, answers = store.active()[0][1].sha, trained(store, 0.2)
    learn("run-7", "2026-01-01T00:00:00+00:00", answers)
    store.set_status("run-checks", sha, Status.ACTIVE, "people asked for it")
    learn("run-7", "2026-01-01T00:00:00+00:00", answers)
    assert store.version("run-checks", sha).status is Status.ACTIVE
    assert len(observer.notes) == 1


def test_what_others_get_right_without_it_is_not_compared_with_a_training(store: FakeProcedureStore) -> None:
    """The policy that is trained fails nearly always; people, who go without as well, do not."""
    log = FakeProcedureLog()
    learn, _ = learning(store, log)
    outcomes, sha = LearnFromOutcomes(store, log), store.active()[0][1].sha
    run = ProcedureRun("u", "run-checks", sha, "r", "full", Outcome.SUCCESS, "", "", False, origin="ask")
    for number in range(60):
        held = number % 4 == 0
        assert outcomes(replace(run, id=f"u{number}", held_out=held)) is None
    learn("run-7", "before", trained(store, 0.0))
    for number in range(60, 80):
        held = number % 4 == 0
        assert outcomes(replace(run, id=f"u{number}", held_out=held)) is None
    assert store.version("run-checks", sha).status is Status.ACTIVE


@dataclass
class FullLog(FakeProcedureLog):
    """Takes nothing."""

    def add(self, *runs: ProcedureRun) -> None:
        raise StorageError("I003", "it cannot be written", where="runs.sqlite3")


def test_a_log_that_cannot_be_written_is_told_and_ends_no_training(store: FakeProcedureStore) -> None:
    learn, observer = learning(store, FullLog())
    learn("run-7", "before", [(given(store, "a"), 1.0)])
    (note,) = observer.notes
    assert note.startswith("what came of the procedures is not in their log: ")
    assert "it cannot be written at runs.sqlite3" in note
