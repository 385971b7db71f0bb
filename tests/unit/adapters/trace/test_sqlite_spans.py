"""What spans are in the tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from cesello.adapters.trace.run_database import read_only
from cesello.adapters.trace.sqlite_spans import SqliteSpans
from cesello.domain.open_span import event, reward, span
from cesello.domain.run import RunStatus
from cesello.domain.secret_text import redactor
from cesello.domain.trace import Span, SpanKind, TracedRun
from cesello.domain.tracer import Tracer
from tests.fakes.trace import FakeSpanSink

KEY = "sk-" + "a1B2" * 8


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs.sqlite"


@pytest.fixture
def store(file: Path) -> Iterator[SqliteSpans]:
    made = SqliteSpans(file, redactor({"MY_TOKEN": "hunter-2000"}))
    yield made
    made.close()


def ask(file: Path, sql: str) -> list[Sequence[Any]]:
    with closing(read_only(file)) as connection:
        return connection.execute(sql).fetchall()


def traced() -> list[Span]:
    sink = FakeSpanSink()
    tracer = Tracer(sink, "a-run")
    with tracer.opened("run"), tracer.rollout("a task") as rollout:
        with suppress(ValueError), rollout.attempt():
            raise ValueError("no")
        with (
            rollout.attempt(),
            span("think", {"a": [1.5, 2.5], "b": "\N{GREEK SMALL LETTER PHI}"}, SpanKind.CLIENT),
        ):
            event("something", {"c": True})
            reward("right", 1.0, "passed", "well done")
            reward("style", None)
            reward("style", 0.5)
    return sink.spans


def test_spans_come_out_as_they_went_in(store: SqliteSpans, file: Path) -> None:
    spans = traced()
    store.write(spans)
    rows = ask(
        file,
        "SELECT trace_id, span_id, parent_id, name, started, ended, kind, status, message, attributes, run, "
        "rollout, attempt, sequence FROM spans ORDER BY rowid",
    )
    assert rows == [
        (
            one.trace_id, one.span_id, one.parent_id, one.name, one.start, one.end, one.kind, one.status,
            one.message, json.dumps(one.attributes, separators=(",", ":")), one.run, one.rollout, one.attempt,
            one.sequence,
        )
        for one in spans
    ]  # fmt: skip
    think = next(one for one in spans if one.name == "think")
    events = ask(file, f"SELECT sequence, name, attributes FROM events WHERE span_id = '{think.span_id}'")
    assert [row[:2] for row in events] == [
        (0, "something"),
        (1, "gen_ai.evaluation.result"),
        (2, "gen_ai.evaluation.result"),
        (3, "gen_ai.evaluation.result"),
    ]
    assert json.loads(events[0][2]) == {"c": True}


def test_they_tell_of_rollouts_attempts_and_rewards(store: SqliteSpans, file: Path) -> None:
    spans = traced()
    store.write(spans)
    [[rollout, run, origin, task, status]] = ask(file, "SELECT id, run, origin, task, status FROM rollouts")
    assert (run, origin, task, status) == ("a-run", "traced", "a task", "completed")
    attempts = ask(file, "SELECT number, status, reward, error FROM attempts ORDER BY number")
    assert attempts == [(1, "failed", None, "ValueError: no"), (2, "completed", 0.75, None)]
    assert ask(file, "SELECT rollout, attempt, name, value, label, reason FROM rewards ORDER BY name") == [
        (rollout, 2, "right", 1.0, "passed", "well done"),
        (rollout, 2, "style", 0.5, None, None),
    ]


def test_a_reward_that_comes_after_its_attempt_counts(store: SqliteSpans, file: Path) -> None:
    sink = FakeSpanSink()
    tracer = Tracer(sink, "a-run")
    with tracer.opened("run"), tracer.rollout("a task") as rollout:
        with rollout.attempt():
            pass
        rollout.reward("right", 0.25)
    for one in sink.spans:
        store.write([one])
    assert ask(file, "SELECT number, reward FROM attempts") == [(1, 0.25)]


def test_a_run_of_an_agent_is_told_twice(store: SqliteSpans, file: Path) -> None:
    running = TracedRun("id", "mine", RunStatus.RUNNING, "2026-08-01T00:00:00+00:00")
    ended = TracedRun(
        "id", "mine", RunStatus.FAILED, running.started, "2026-08-01T00:00:02+00:00", 2.0, 3, "no"
    )
    store.write([running])
    query = "SELECT id, name, algorithm, status, finished, steps, seconds, error, path FROM runs"
    assert ask(file, query) == [("id", "mine", "agent", "running", None, 0, 0.0, None, "")]
    store.write([ended])
    assert ask(file, query) == [("id", "mine", "agent", "failed", ended.finished, 3, 2.0, "no", "")]


def test_a_run_that_is_begun_anew_leaves_nothing_of_the_old_one(store: SqliteSpans, file: Path) -> None:
    store.write(traced())
    new = traced()
    store.write(["another", *traced()[:0], "a-run", *new])
    assert len(ask(file, "SELECT 1 FROM spans")) == len(new)
    assert len(ask(file, "SELECT 1 FROM events")) == sum(len(one.events) for one in new)


def test_no_secret_is_written(store: SqliteSpans, file: Path, tmp_path: Path) -> None:
    sink = FakeSpanSink()
    tracer = Tracer(sink, "a-run")
    with (
        suppress(ValueError),
        tracer.opened("run"),
        tracer.rollout(f"with {KEY}") as rollout,
        rollout.attempt({"password": "plain words"}),
        span(f"a name with {KEY}", {"header": f"Bearer {KEY}", "list": ["hunter-2000"]}),
    ):
        event("told", {"text": "it is hunter-2000."})
        reward("right", 1.0, KEY, f"because of {KEY}")
        raise ValueError(f"{KEY} was refused")
    store.write([*sink.spans, TracedRun("id", f"of {KEY}", RunStatus.FAILED, "", error=f"with {KEY}")])
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"a name with [secret]" in written
    for secret in (KEY, "hunter-2000", "plain words"):
        assert secret.encode() not in written


@pytest.mark.parametrize("odd", ["\ud800", "a\0b", "\N{PILE OF POO}", "'; DROP TABLE spans; --"])
def test_any_text_can_be_a_name_or_a_value(odd: str, store: SqliteSpans, file: Path) -> None:
    store.write([Span("t", "s", None, odd, 1, 2, attributes={odd: odd}, message=odd, rollout="r")])
    [[name, message, attributes]] = ask(file, "SELECT name, message, attributes FROM spans")
    assert name == message == odd.encode("utf-8", "replace").decode()
    assert json.loads(attributes) == {odd: odd}


def test_many_are_written_whatever_their_number(store: SqliteSpans, file: Path) -> None:
    store.write([Span("t", f"{number:016x}", None, "one", number, number + 1) for number in range(777)])
    assert ask(file, "SELECT started FROM spans ORDER BY rowid") == [(number,) for number in range(777)]


def test_all_of_them_are_written_or_none(store: SqliteSpans, file: Path) -> None:
    store.write([Span("t", "first", None, "one", 1, 2)])
    broken = Span("t", "broken", None, "one", 2**70, 3)
    with pytest.raises(OverflowError):
        store.write([Span("t", "second", None, "one", 1, 2), broken])
    store.write([Span("t", "third", None, "one", 1, 2)])
    assert ask(file, "SELECT span_id FROM spans") == [("first",), ("third",)]


def test_a_database_that_was_deleted_is_made_anew(store: SqliteSpans, file: Path) -> None:
    store.write([Span("t", "first", None, "one", 1, 2)])
    for path in file.parent.iterdir():
        path.unlink()
    store.write([Span("t", "second", None, "one", 1, 2)])
    assert ask(file, "SELECT span_id FROM spans") == [("second",)]


def test_while_another_process_reads_it_is_written(store: SqliteSpans, file: Path) -> None:
    store.write([Span("t", "first", None, "one", 1, 2)])
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM spans").fetchone() == (1,)
        store.write([Span("t", "second", None, "one", 1, 2)])
        assert reader.execute("SELECT count(*) FROM spans").fetchone() == (1,)
