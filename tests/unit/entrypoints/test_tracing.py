"""The Python API for people's own agents."""

from __future__ import annotations

import logging
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from cesello import tracing
from cesello.adapters.trace.run_database import read_only
from cesello.domain.tracer import NO_TRACER
from cesello.entrypoints.container import make_container
from cesello.entrypoints.wiring import SilentObserver


def ask(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(read_only(folder / "runs.sqlite")) as connection:
        return connection.execute(sql).fetchall()


@tracing.traced
def search(question: str) -> str:
    tracing.annotate({"found": 1})
    return question


def test_a_run_of_an_agent_is_in_the_tables(tmp_path: Path) -> None:
    with tracing.run("My agent", tmp_path / "runs", {"version": 3}) as run:
        run.set("mode", "fast")
        for task in ("one", "two"):
            with run.rollout(task) as rollout, rollout.attempt():
                search(task)
                tracing.reward("right", 1.0, "passed", "it is")
                tracing.event("something")
    folder = tmp_path / "runs"
    [[run_id, name, algorithm, status, steps, path]] = ask(
        folder, "SELECT id, name, algorithm, status, steps, path FROM runs WHERE finished IS NOT NULL"
    )
    assert (run_id, name, algorithm, status, steps, path) == (run.id, "My agent", "agent", "completed", 2, "")
    assert "-my-agent-" in run_id
    assert ask(folder, "SELECT task, status, origin, run FROM rollouts ORDER BY task") == [
        ("one", "completed", "traced", run_id),
        ("two", "completed", "traced", run_id),
    ]
    assert (
        ask(folder, "SELECT name, value, label, reason FROM rewards")
        == [("right", 1.0, "passed", "it is")] * 2
    )
    assert ask(folder, "SELECT attributes FROM spans WHERE name = 'invoke_agent My agent'") == [
        ('{"version":3,"gen_ai.operation.name":"invoke_agent","gen_ai.agent.name":"My agent","mode":"fast"}',)
    ]
    assert ask(folder, "SELECT count(*), min(attempt), max(attributes) FROM spans WHERE name = 'search'") == [
        (2, 1, '{"found":1}')
    ]


@pytest.mark.parametrize(
    ("end", "status"), [(ValueError("no"), "failed"), (KeyboardInterrupt(), "interrupted")]
)
def test_whatever_ends_a_run_the_table_says_so(end: BaseException, status: str, tmp_path: Path) -> None:
    with suppress(ValueError, KeyboardInterrupt), tracing.run("mine", tmp_path):
        raise end
    assert ask(tmp_path, "SELECT status, error FROM runs") == [(status, type(end).__name__)]
    assert ask(tmp_path, "SELECT status FROM spans") == [("error",)]


def test_runs_follow_each_other_and_lie_within_each_other(tmp_path: Path) -> None:
    with tracing.run("outer", tmp_path) as outer:
        with tracing.run("inner", tmp_path) as inner:
            search("one")
        search("two")
    found = ask(tmp_path, "SELECT run, count(*) FROM spans WHERE name = 'search' GROUP BY run")
    assert sorted(found) == sorted([(outer.id, 1), (inner.id, 1)])


def test_a_folder_that_cannot_be_written_stops_no_agent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "runs").write_text("a file")
    with caplog.at_level(logging.WARNING, "cesello"), tracing.run("mine", tmp_path / "runs"):
        assert search("one") == "one"
    record, count = caplog.records
    assert "error[I091]" in record.message
    assert count.message == "2 spans are not kept"
    notes: list[str] = []
    with tracing.run("mine", tmp_path / "runs", note=notes.append):
        search("one")
    assert len(notes) == 2


def test_where_no_run_is_open_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert search("one") == "one"
    with tracing.span("one") as its:
        its.set("a", 1)
    tracing.reward("right", 1.0)
    assert not list(tmp_path.iterdir())


def test_an_agent_loads_no_library(tmp_path: Path) -> None:
    program = (
        "import sys; from cesello import tracing\n"
        "with tracing.run('mine', sys.argv[1]) as run, run.rollout('a') as one, one.attempt(): pass\n"
        "print(sorted({'torch', 'numpy', 'pydantic', 'rich', 'click', 'yaml'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
    assert len(ask(tmp_path, "SELECT * FROM spans")) == 3


def test_a_training_traces_unless_it_is_told_not_to_or_follows_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert make_container().tracer() is not NO_TRACER
    assert make_container({"traces": False}).tracer() is NO_TRACER
    monkeypatch.setenv("RANK", "1")
    assert make_container().tracer() is NO_TRACER
    assert isinstance(make_container().observer(), SilentObserver)


def test_nothing_raises_on_account_of_what_it_is_told(tmp_path: Path) -> None:
    odd: Any = [1]
    with tracing.run(odd, tmp_path, odd) as run, run.rollout(odd, odd) as rollout, rollout.attempt():
        with tracing.span(odd, odd) as span:
            span.set(odd, odd)
            span.event(odd, odd)
        tracing.annotate(odd)
        tracing.event(odd, odd)
        tracing.reward(odd, odd, odd, odd)
    assert ask(tmp_path, "SELECT name, attributes FROM spans WHERE name LIKE '[%'") == [
        ("[1]", '{"attributes":"[1]","[1]":[1]}')
    ]
    assert ask(tmp_path, "SELECT task, status FROM rollouts") == [("[1]", "completed")]
    assert ask(tmp_path, "SELECT count(*) FROM rewards") == [(1,)]
