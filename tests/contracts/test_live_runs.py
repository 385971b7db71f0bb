"""What everything that reads runs while they are written owes, on the fake and on folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cesello.adapters.run.folder_live_runs import FolderLiveRuns
from cesello.adapters.run.folder_run_store import FolderRunStore
from cesello.domain.ports.live_runs import LiveLogs, LiveRuns
from cesello.domain.ports.run import RunFolder, RunStore
from cesello.domain.run import Sample
from tests.fakes.live_runs import FakeLiveRuns
from tests.fakes.run import FakeRunStore


@dataclass
class Written:
    """A run that is being written, and what reads it."""

    run: RunFolder
    live: LiveRuns

    @property
    def logs(self) -> LiveLogs:
        return self.live.logs(str(self.run.path))


@pytest.fixture(params=["fake", "folder"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Written:
    store: RunStore
    if request.param == "fake":
        store = fake = FakeRunStore()
        return Written(store.create("demo", ""), FakeLiveRuns(fake))
    store = FolderRunStore(tmp_path / "runs")
    return Written(store.create("demo", ""), FolderLiveRuns())


def steps(logs: LiveLogs) -> tuple[bool, list[tuple[str, Any]]]:
    news = logs.news()
    return news.anew, [(log, line["step"]) for log, line in news.lines]


def add(run: RunFolder, *numbers: int, log: str = "metrics", **more: Any) -> None:
    for number in numbers:
        run.append(log, {"step": number, **more})


def test_a_run_without_logs_has_no_news(written: Written) -> None:
    assert steps(written.logs) == (False, [])
    assert written.logs.quiet() is None
    assert not written.live.some(str(written.run.path), "metrics", 5)


def test_every_line_is_told_once(written: Written) -> None:
    logs = written.logs
    add(written.run, 1, 2)
    assert steps(logs) == (False, [("metrics", 1), ("metrics", 2)])
    assert steps(logs) == (False, [])
    add(written.run, 3)
    add(written.run, 3, log="timings", seconds=1.0)
    add(written.run, 3, log="evaluations")
    add(written.run, 3, log="alarms", text="x")
    assert steps(logs) == (
        False,
        [("metrics", 3), ("timings", 3), ("evaluations", 3), ("alarms", 3)],
    )
    assert logs.quiet() is not None


def test_logs_of_others_are_not_read(written: Written) -> None:
    add(written.run, 1, log="completions")
    assert steps(written.logs) == (False, [])


def test_logs_that_were_cut_back_are_told_anew(written: Written) -> None:
    logs, run = written.logs, written.run
    add(run, 1)
    add(run, 1, log="timings", seconds=1.0)
    marks = run.mark_logs()
    add(run, 2, 3)
    add(run, 2, log="timings", seconds=1.0)
    assert len(steps(logs)[1]) == 5
    run.cut_logs(marks)
    assert steps(logs) == (True, [("metrics", 1), ("timings", 1)])
    assert steps(logs) == (False, [])


def test_a_log_that_was_cut_back_and_has_grown_again_is_told_anew(written: Written) -> None:
    logs, run = written.logs, written.run
    add(run, 1, loss=1.0)
    marks = run.mark_logs()
    add(run, 2, loss=2.0)
    steps(logs)
    run.cut_logs(marks)
    add(run, 2, 3, 4, loss=7.5)
    assert steps(logs) == (True, [("metrics", number) for number in (1, 2, 3, 4)])


def test_a_log_that_is_gone_is_told_anew(written: Written) -> None:
    logs, run = written.logs, written.run
    add(run, 1)
    steps(logs)
    run.cut_logs({})
    assert steps(logs) == (True, [])
    assert steps(logs) == (False, [])


def test_some_lines_are_spread_and_end_with_the_last(written: Written) -> None:
    path = str(written.run.path)
    add(written.run, *range(1, 8))
    assert [line["step"] for line in written.live.some(path, "metrics", 50)] == list(range(1, 8))
    for number in range(8, 201):
        written.run.append("metrics", {"step": number, "padding": "x" * 2000})
    some: list[Mapping[str, Any]] = list(written.live.some(path, "metrics", 20))
    found = [line["step"] for line in some]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (1, 200)
    assert 15 <= len(found) <= 22
    assert max(late - early for early, late in pairwise(found)) <= 20


def test_answers_are_those_that_were_kept(written: Written) -> None:
    path = str(written.run.path)
    assert not written.live.answers(path, "after")
    written.run.write_samples("after", [Sample("chat", "why", "because", "", {"right": 1.0})])
    [answer] = written.live.answers(path, "after")
    assert (answer["source"], answer["prompt"], answer["parts"]) == ("chat", "why", {"right": 1.0})
    assert not written.live.answers(path, "before")


def test_scores_of_graded_rows_are_those_of_the_time_that_is_asked_for(written: Written) -> None:
    path = str(written.run.path)
    assert not written.live.scores(path, "after")
    for when, score in (("before", 0.0), ("after", 0.5), ("after", None)):
        written.run.append("scores", {"when": when, "source": "chat", "prompt": "ab", "score": score})
    assert [one["score"] for one in written.live.scores(path, "after")] == [0.5, None]


def test_what_is_no_search_tried_no_prompts(written: Written) -> None:
    assert not written.live.tried(str(written.run.path))
