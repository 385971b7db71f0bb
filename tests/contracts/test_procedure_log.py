"""What every log of procedures does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cesello.adapters.procedure.sqlite_procedure_log import SqliteProcedureLog
from cesello.domain.errors import DataError
from cesello.domain.ports.procedure import ProcedureLog
from cesello.domain.procedure import Outcome, ProcedureRun, StepRun
from tests.fakes.procedure_log import FakeProcedureLog

Make = Callable[[Path], ProcedureLog]


@pytest.fixture(
    params=[lambda _: FakeProcedureLog(), lambda path: SqliteProcedureLog(path / "a" / "runs.sqlite3")]
)
def log(request: pytest.FixtureRequest, tmp_path: Path) -> ProcedureLog:
    make: Make = request.param
    return make(tmp_path)


def run(identity: str, name: str = "p", **changes: object) -> ProcedureRun:
    made = ProcedureRun(
        identity, name, "a" * 64, "fix it", "guided", Outcome.SUCCESS, "2026-01-01T00:00:00+00:00",
        "2026-01-01T00:01:00+00:00", False, 0.5, "user",
        (StepRun("look", 1, None, "saw it", 1.5), StepRun("verify", 2, True, "0", 0.25)),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def test_an_empty_log_has_no_runs(log: ProcedureLog) -> None:
    assert not log.runs()
    assert not log.runs("p", 3)


def test_what_is_added_comes_back_whole(log: ProcedureLog) -> None:
    held = run("b", held_out=True, reward=None, steps=(), outcome=Outcome.UNKNOWN, request="perché?\n'\"--")
    log.add(run("a"))
    log.add(held)
    assert list(log.runs()) == [held, run("a")]


def test_newest_are_first_and_can_be_chosen(log: ProcedureLog) -> None:
    for number in range(6):
        log.add(run(str(number), "even" if number % 2 == 0 else "odd"))
    assert [one.id for one in log.runs(last=2)] == ["5", "4"]
    assert [one.id for one in log.runs("even")] == ["4", "2", "0"]
    assert [one.id for one in log.runs("even", 1)] == ["4"]
    assert not log.runs("nothing")


def test_a_run_that_is_judged_later_keeps_its_place(log: ProcedureLog) -> None:
    log.add(run("a", outcome=Outcome.UNKNOWN))
    log.add(run("b"))
    log.add(run("a", outcome=Outcome.FAILURE))
    assert [(one.id, one.outcome) for one in log.runs()] == [
        ("b", Outcome.SUCCESS), ("a", Outcome.FAILURE)
    ]  # fmt: skip


def test_many_are_added_together_in_their_order(log: ProcedureLog) -> None:
    log.add(run("a"), run("b"), run("a", outcome=Outcome.PARTIAL))
    log.add()
    assert [(one.id, one.outcome) for one in log.runs()] == [
        ("b", Outcome.SUCCESS), ("a", Outcome.PARTIAL)
    ]  # fmt: skip


def test_several_threads_can_add(log: ProcedureLog) -> None:
    threads = [threading.Thread(target=log.add, args=[run(str(number))]) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(log.runs()) == 8


def test_no_secret_is_written_down(tmp_path: Path) -> None:
    file = tmp_path / "runs.sqlite3"
    token = "ghp_" + "a1" * 18
    key = "-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----"
    log = SqliteProcedureLog(file)
    log.add(run("a", request=f"push with {token} now", steps=(StepRun("look", 1, None, f"got {key} here"),)))
    log.add(run("b", steps=(StepRun("look", 1, None, f"{key[30:]} after"),)))
    cut, read = log.runs()
    assert cut.steps[0].evidence == "[a private key] after"
    assert read.request == "push with [a token of GitHub] now"
    assert read.steps[0].evidence == "got [a private key] here"
    assert all(token.encode() not in path.read_bytes() for path in tmp_path.iterdir())
    assert (tmp_path / ".gitignore").read_text() == "*\n"


def test_nothing_is_added_to_a_log_that_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "runs.sqlite3").write_bytes(b"no database" * 100)
    with pytest.raises(DataError, match="D048"):
        SqliteProcedureLog(tmp_path / "runs.sqlite3").add()


def test_adding_nothing_adds_nothing(log: ProcedureLog) -> None:
    log.add()
    assert not log.runs()
