"""The run store knows what lies in the folders of runs, and keeps what was recorded as it happened."""

from __future__ import annotations

import json
import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cesello.adapters.run.folder_run_store import FolderRunStore
from cesello.adapters.run.open_run import OpenRun
from cesello.adapters.trace.run_database import connected
from cesello.adapters.trace.sqlite_trace_store import SqliteTraceStore
from cesello.domain.errors import StorageError
from cesello.domain.procedure import Outcome, ProcedureRun
from cesello.domain.secret_text import redactor
from cesello.domain.trace import Event, Span, SpanKind, SpanStatus
from tests.fakes.procedure_log import FakeProcedureLog
from tests.indexed_runs import completion, rows, write_log, write_manifest, write_trials


def store(folder: Path, **parts: Any) -> SqliteTraceStore:
    return SqliteTraceStore(folder / "runs.sqlite", FolderRunStore(folder), **parts)


def asked(it: SqliteTraceStore, sql: str) -> list[Any]:
    return [tuple(row) for row in it.query(sql)[1]]


def test_a_training_is_in_the_tables(tmp_path: Path) -> None:
    run = tmp_path / "first"
    write_manifest(run, error="gone wrong")
    write_log(run, "metrics", [{"step": 1, "loss": 2.5, "reward": None}, {"step": 2, "loss": 2}])
    write_log(run, "timings", [{"step": 1, "seconds": 0.25}])
    write_log(run, "alarms", [{"step": 2, "name": "kl", "text": "far away"}])
    losses = {"chat": {"rows": 2, "tokens": 30, "loss": 1.5}}
    graded = {"calls": {"reward": "r", "rows": 4, "parts": {"name": 2.0}, "score": 0.5, "not_applicable": 1}}
    write_log(run, "evaluations", [{"step": 2, "when": "after", "losses": losses, "graded": graded}])
    it = store(tmp_path)

    assert not it.refresh()

    [one] = asked(
        it, "SELECT id, name, algorithm, status, model, steps, seconds, seed, error, path FROM runs"
    )
    assert one == (
        "first",
        "demo",
        "grpo",
        "completed",
        "tiny",
        2,
        600.0,
        7,
        "gone wrong",
        str(run.absolute()),
    )
    assert asked(it, "SELECT step, name, value FROM metrics ORDER BY step, name") == [
        (1, "loss", 2.5), (1, "reward", None), (1, "seconds", 0.25), (2, "loss", 2.0),
    ]  # fmt: skip
    assert asked(it, "SELECT step, name, text FROM alarms") == [(2, "kl", "far away")]
    assert asked(it, "SELECT moment, source, name, value FROM evaluations ORDER BY source, name") == [
        ("after", "calls", "graded", 4.0), ("after", "calls", "infra_errors", None),
        ("after", "calls", "not_applicable", 1.0), ("after", "calls", "reward/name", 0.5),
        ("after", "calls", "score", 0.5), ("after", "chat", "loss", 1.5), ("after", "chat", "rows", 2.0),
        ("after", "chat", "tokens", 30.0),
    ]  # fmt: skip
    assert stat.S_IMODE((tmp_path / "runs.sqlite").stat().st_mode) == 0o600


def test_answers_are_rollouts_with_their_rewards(tmp_path: Path) -> None:
    write_manifest(tmp_path / "run")
    given = {"name": "ship", "sha": "0", "mode": "full", "request": "r"}
    wrong = completion(1, 0, "b", 0.0, reasons=["right:no_call", "other:x"], procedure=given)
    failed = completion(2, 0, "d", None, verdict="infra_error", finished=False)
    lines = [completion(1, 0, "a"), wrong, completion(1, 1, "c", replaced=True), failed]
    write_log(tmp_path / "run", "completions", lines)
    it = store(tmp_path)
    it.refresh()

    assert asked(it, "SELECT id, origin, step, prompt, place, task, procedure, status FROM rollouts") == [
        ("run/1/0/0", "run", 1, 0, 0, "question 0", None, "completed"),
        ("run/1/0/1", "run", 1, 0, 1, "question 0", "ship", "completed"),
        ("run/1/1/0", "run", 1, 1, 0, "question 1", None, "replaced"),
        ("run/2/0/0", "run", 2, 0, 0, "question 0", None, "failed"),
    ]
    columns = "rollout, completion, tokens, finished, reward, advantage, verdict"
    assert asked(it, f"SELECT {columns} FROM attempts") == [
        ("run/1/0/0", "a", 1, 1, 1.0, 0.5, None), ("run/1/0/1", "b", 1, 1, 0.0, 0.5, None),
        ("run/1/1/0", "c", 1, 1, 1.0, 0.5, None), ("run/2/0/0", "d", 1, 0, None, 0.5, "infra_error"),
    ]  # fmt: skip
    assert asked(it, "SELECT rollout, name, value, reason FROM rewards") == [
        ("run/1/0/0", "right", 1.0, None), ("run/1/0/1", "right", 0.0, "no_call"),
        ("run/1/1/0", "right", 1.0, None),
    ]  # fmt: skip


def test_a_search_is_in_the_tables_and_a_trial_that_is_judged_again_too(tmp_path: Path) -> None:
    write_manifest(tmp_path / "hunt", algorithm="apo")
    write_trials(tmp_path / "hunt", [("c1", "t1", 1.0, "yes"), ("c1", "t2", None, "no")])
    it = store(tmp_path)
    it.refresh()
    columns = "rollouts.id, candidate, task, attempts.status, reward"
    assert asked(it, f"SELECT {columns} FROM rollouts JOIN attempts ON rollouts.id = rollout") == [
        ("hunt/c1/t1/0/engine", "c1", "t1", "completed", 1.0),
        ("hunt/c1/t2/0/engine", "c1", "t2", "failed", None),
    ]
    assert sorted(path.name for path in (tmp_path / "hunt").iterdir()) == ["ledger.sqlite3", "manifest.json"]

    write_trials(tmp_path / "hunt", [("c1", "t2", 0.5, "better")])
    it.refresh()

    assert asked(it, "SELECT candidate, task, score, tokens, seconds FROM ledger") == [
        ("c1", "t1", 1.0, 3, 0.5), ("c1", "t2", 0.5, 3, 0.5),
    ]  # fmt: skip
    assert asked(it, "SELECT completion FROM attempts ORDER BY rollout") == [("yes",), ("better",)]


def test_a_search_is_read_while_it_is_written(tmp_path: Path) -> None:
    from cesello.adapters.prompt.sqlite_ledger import SqliteLedger
    from cesello.domain.prompt_search import Trial, TrialKey

    write_manifest(tmp_path / "hunt", algorithm="apo")
    ledger = SqliteLedger(tmp_path / "hunt" / "ledger.sqlite3", "engine")
    it = store(tmp_path)
    for number in range(3):
        ledger.add_trials([Trial(TrialKey("c", f"t{number}"), 1.0)])
        assert not it.refresh()
        assert it.counts()["ledger"] == number + 1
    ledger.close()


def test_what_came_of_procedures_is_in_the_tables(tmp_path: Path) -> None:
    log = FakeProcedureLog()
    one = ProcedureRun("p1", "ship", "abc", "ship sk-abcdefghijklmnopqrst", "full", Outcome.SUCCESS, "s", "f")
    log.add(one)
    it = store(tmp_path, procedures=log)
    it.refresh()
    it.refresh()
    assert asked(
        it, "SELECT id, procedure, version, request, outcome, held_out, origin FROM procedure_runs"
    ) == [("p1", "ship", "abc", "ship [secret]", "success", 0, "user")]


def test_a_removed_run_goes_and_what_was_recorded_stays(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_manifest(tmp_path / name)
        write_log(tmp_path / name, "completions", [completion(1, 0, name)])
        write_log(tmp_path / name, "metrics", [{"step": 1, "loss": 1.0}])
    it = store(tmp_path)
    it.refresh()
    record(tmp_path, "first")

    shutil.rmtree(tmp_path / "first")
    it.refresh()

    assert asked(it, "SELECT id FROM runs") == [("second",)]
    assert asked(it, "SELECT DISTINCT run FROM metrics") == [("second",)]
    assert asked(it, "SELECT id FROM rollouts") == [("first/traced",), ("second/1/0/0",)]
    assert asked(it, "SELECT rollout FROM attempts") == [("first/traced",), ("second/1/0/0",)]
    [span] = it.spans("first")
    assert span == SPAN


SPAN = Span(
    "a" * 32, "b" * 16, None, "step", 10, 20, SpanKind.CLIENT, SpanStatus.ERROR, "why", {"n": 1, "s": "x"},
    (Event("said", 15, {"ok": True}),), "first", "first/traced", 1, 3,
)  # fmt: skip


def record(folder: Path, run: str) -> None:
    """A span, and a rollout as an agent's; written by hand, so that this tests the reading."""
    from cesello.adapters.trace.run_database import connected

    one, [event] = SPAN, SPAN.events
    connection = connected(folder / "runs.sqlite")
    span = (
        one.trace_id, one.span_id, one.parent_id, run, one.rollout, one.attempt, one.sequence, one.name,
        one.kind.value, one.start, one.end, one.status.value, one.message, json.dumps(one.attributes),
    )  # fmt: skip
    for table, row in {
        "spans": span,
        "events": (one.trace_id, one.span_id, 0, event.name, event.at, json.dumps(event.attributes)),
        "rollouts": (one.rollout, run, "traced", *[None] * 3, "a task", None, None, "failed"),
        "attempts": (one.rollout, 1, one.trace_id, "failed", 10, 20, *[None] * 8),
    }.items():
        connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
    connection.close()


def test_damaged_lines_are_told_each_time_and_left_out(tmp_path: Path) -> None:
    write_manifest(tmp_path / "run")
    log = tmp_path / "run" / "metrics.jsonl"
    log.write_text(
        '{"step": 1, "loss": 1.0}\n{"step": 1, "lo\n[]\n{"step": "2"}\n{"loss": 1}\n{"step": 3, "loss": 3}\n'
    )
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text("{")
    it = store(tmp_path)
    for _ in range(2):
        told = it.refresh()
        assert told == [
            "run run: of metrics.jsonl 4 lines were left out: damaged",
            "run other could not be read: its manifest.json is damaged",
        ]
    assert asked(it, "SELECT step FROM metrics") == [(1,), (3,)]


def test_a_run_whose_manifest_was_damaged_later_stays(tmp_path: Path) -> None:
    write_manifest(tmp_path / "run")
    it = store(tmp_path)
    it.refresh()
    (tmp_path / "run" / "manifest.json").write_text("{")
    assert it.refresh() == ["run run could not be read: its manifest.json is damaged"]
    assert asked(it, "SELECT id FROM runs") == [("run",)]


def test_one_damaged_ledger_keeps_no_other_run_out(tmp_path: Path) -> None:
    write_manifest(tmp_path / "bad")
    (tmp_path / "bad" / "ledger.sqlite3").write_bytes(b"no database at all" * 100)
    os.symlink(tmp_path, tmp_path / "bad" / "metrics.jsonl")
    write_manifest(tmp_path / "good")
    it = store(tmp_path)
    [told] = it.refresh()
    assert told.startswith("run bad could not be read")
    assert asked(it, "SELECT id FROM runs") == [("good",)]


def test_a_line_that_is_being_written_is_left_for_next_time(tmp_path: Path) -> None:
    write_manifest(tmp_path / "run")
    log = tmp_path / "run" / "metrics.jsonl"
    it = store(tmp_path)
    text = '{"step": 1, "loss": 1.0}\n{"step": 2, "loss": 2.0}\n'
    for end in (10, 30, len(text)):
        log.write_text(text[:end])
        assert not it.refresh()
        assert it.counts()["metrics"] == text[:end].count("\n")


def test_the_status_is_that_of_the_lock(tmp_path: Path) -> None:
    write_manifest(tmp_path / "run", status="running", finished=None)
    it = store(tmp_path)
    run = OpenRun(tmp_path / "run")
    it.refresh()
    assert asked(it, "SELECT status FROM runs") == [("running",)]
    run.close()
    it.refresh()
    assert asked(it, "SELECT status FROM runs") == [("failed",)]


def test_secrets_are_taken_out(tmp_path: Path) -> None:
    write_manifest(tmp_path / "run", error="no access with hunter-2-hunter")
    write_log(
        tmp_path / "run", "completions", [completion(1, 0, "use hunter-2-hunter, or Bearer abcdef123456")]
    )
    it = store(tmp_path, redact=redactor({"CESELLO_PASSWORD": "hunter-2-hunter"}))
    it.refresh()
    assert asked(it, "SELECT completion FROM attempts") == [("use [secret], or Bearer [secret]",)]
    assert b"hunter" not in b"".join(file.read_bytes() for file in tmp_path.glob("runs.sqlite*"))


def test_strange_texts_and_figures_are_kept_as_far_as_they_can_be(tmp_path: Path) -> None:
    write_manifest(tmp_path / "run")
    write_log(tmp_path / "run", "completions", [completion(1, 0, "half \ud800 a \x00 character")])
    log = tmp_path / "run" / "metrics.jsonl"
    log.write_text('{"step": 1, "a": NaN, "b": 1e999, "c": true, "d": ' + "9" * 400 + "}\n")
    it = store(tmp_path)
    assert not it.refresh()
    assert asked(it, "SELECT completion FROM attempts") == [("half ? a \x00 character",)]
    assert asked(it, "SELECT name, value FROM metrics") == [("a", None), ("b", None), ("c", 1.0), ("d", None)]


def test_the_tables_of_a_run_can_be_had(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_manifest(tmp_path / name)
        write_log(tmp_path / name, "completions", [completion(1, 0, name)])
    it = store(tmp_path)
    it.refresh()
    record(tmp_path, "first")
    counts = {table.name: len(list(table.rows)) for table in it.tables(["first"])}
    found = {"runs": 1, "rollouts": 2, "attempts": 2, "rewards": 1, "spans": 1, "events": 1}
    assert {name: count for name, count in counts.items() if count} == found
    assert {table.name: len(list(table.rows)) for table in it.tables()} == {
        name: count for name, count in it.counts().items() if name != "indexed"
    }


def test_several_may_look_while_it_is_written(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_manifest(tmp_path / name)
    with ThreadPoolExecutor(4) as others:
        for step in range(6):
            for name in ("first", "second"):
                write_log(tmp_path / name, "metrics", [{"step": step, "loss": 1.0}])
                write_log(tmp_path / name, "completions", [completion(step // 2, 0, "text")])
                write_log(tmp_path / name, "alarms", [{"step": step, "name": "kl", "text": "far"}])
            for told in others.map(lambda _: store(tmp_path).refresh(), range(4)):
                assert not told
    known = contents(tmp_path)
    assert len(known["alarms"]) == 12
    for file in tmp_path.glob("runs.sqlite*"):
        file.unlink()
    store(tmp_path).refresh()
    assert known == contents(tmp_path)


def test_a_training_can_write_while_a_run_is_read(tmp_path: Path) -> None:
    training = connected(tmp_path / "runs.sqlite", timeout=0)
    written = 0

    def redact(text: str) -> str:
        nonlocal written
        training.execute("BEGIN IMMEDIATE")  # raises where it is locked
        training.execute("COMMIT")
        written += 1
        return text

    write_manifest(tmp_path / "run")
    write_log(tmp_path / "run", "completions", [completion(1, 0, "a"), completion(1, 0, "b")])
    it = store(tmp_path, redact=redact)
    assert it.refresh() == []
    assert written
    assert asked(it, "SELECT completion FROM attempts ORDER BY rollout") == [("a",), ("b",)]
    training.close()


@pytest.mark.parametrize("at_once", [1 << 20, 1])
def test_what_another_has_brought_in_meanwhile_is_not_there_twice(
    at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cesello.adapters.trace.run_index._PART", at_once)
    other = store(tmp_path)
    left = [0, 3, 5]  # calls after which another process looks as well

    def redact(text: str) -> str:
        if left:
            left[0] -= 1
            if left[0] < 0:
                left.pop(0)
                other.refresh()
        return text

    write_manifest(tmp_path / "run")
    alarms = [{"step": step, "name": "kl", "text": f"far {step}"} for step in range(5)]
    write_log(tmp_path / "run", "alarms", alarms)
    write_log(tmp_path / "run", "completions", [completion(1, 0, text) for text in "abcde"])
    it = store(tmp_path, redact=redact)
    assert it.refresh() == []
    assert asked(it, "SELECT text FROM alarms ORDER BY step") == [(f"far {step}",) for step in range(5)]
    assert asked(it, "SELECT completion FROM attempts ORDER BY rollout") == [(text,) for text in "abcde"]
    assert not left


def test_without_a_database_nothing_can_be_asked(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="I091"):
        store(tmp_path).query("SELECT 1")


LOGS: dict[str, Any] = {
    "metrics": lambda step: {"step": step, "loss": step / 2, "shared": 1.0},
    "timings": lambda step: {"step": step, "seconds": step / 4, "shared": 2.0},
    "completions": lambda step: completion(1 + step % 3, step % 2, f"text {step}"),
    "alarms": lambda step: {"step": step, "name": "kl", "text": "far"},
}
_LINES = st.lists(st.integers(0, 9), max_size=4)
_DAMAGE = st.sampled_from([b"", b"", b'{"step": 1', b"[]\n", b"\xff\n", b"\n"])
_CHANGES = st.one_of(
    st.tuples(st.just("append"), st.sampled_from(sorted(LOGS)), _LINES, _DAMAGE),
    st.tuples(st.just("cut"), st.sampled_from(sorted(LOGS)), st.floats(0, 1), _LINES),
    st.tuples(st.just("remove"), st.sampled_from([*sorted(LOGS), "run"]), st.none(), st.none()),
    st.tuples(st.just("manifest"), st.just(""), st.integers(0, 3), st.none()),
    st.tuples(st.just("trials"), st.just(""), _LINES, st.none()),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(_CHANGES, st.booleans(), st.booleans()), max_size=8))
def test_step_by_step_it_knows_the_same_as_at_once(
    changes: list[tuple[Any, bool, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever is added, cut back, overwritten and removed between two looks."""
    folder = tmp_path_factory.mktemp("runs")
    write_manifest(folder / "run")
    it = store(folder)
    for number, (change, settled, looks) in enumerate(changes):
        _change(folder / "run", change, settled, number)
        if looks:
            it.refresh()
    it.refresh()
    known = contents(folder)
    for file in folder.glob("runs.sqlite*"):
        file.unlink()
    store(folder).refresh()
    assert known == contents(folder)


def _change(run: Path, change: Any, settled: bool, number: int) -> None:
    kind, name, first, second = change
    log = run / f"{name}.jsonl"
    if kind == "remove" and name == "run":
        shutil.rmtree(run, ignore_errors=True)
    elif kind == "remove":
        log.unlink(missing_ok=True)
    elif kind == "manifest" or not run.exists():
        write_manifest(run, steps=first if kind == "manifest" else 0)
    elif kind == "trials":
        write_trials(run, [("c", str(task), None if task % 3 else 1.0, str(number)) for task in first])
    else:
        if kind == "cut" and log.exists():
            os.truncate(log, int(log.stat().st_size * first))
        lines = first if kind == "append" else second
        write_log(run, name, [LOGS[name](step) for step in lines])
        with log.open("ab") as opened:
            opened.write(second if kind == "append" else b"")
    if settled and log.is_file():
        # As if it had been written long ago; each time differs, as it would.
        os.utime(log, (1_000_000_000 + number, 1_000_000_000 + number))


def contents(folder: Path) -> dict[str, list[Any]]:
    """Of every table; what is indexed without its times."""
    file = folder / "runs.sqlite"
    names = [name for (name,) in rows(file, "SELECT name FROM sqlite_schema WHERE type = 'table'")]
    found = {
        name: sorted(rows(file, f"SELECT * FROM {name}"), key=repr) for name in names if name != "indexed"
    }
    found["indexed"] = rows(file, "SELECT file, run, size, digest, damaged FROM indexed ORDER BY file")
    return found
