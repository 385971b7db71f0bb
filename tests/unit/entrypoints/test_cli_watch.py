"""How a run is shown: lines for logs, a bar on a terminal, nothing by a process that only shares the work."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cesello.domain.schedule import StepReport
from cesello.entrypoints.cli.watch import (
    FollowingObserver,
    LineObserver,
    TerminalObserver,
    figures,
    make_observer,
    pace,
)


def report(step: int, roofline: float | None = None) -> StepReport:
    return StepReport(step, 2.0, 1e-3, 1.0, 1000, 100, 0.5, roofline=roofline)


def test_a_phase_that_goes_on_says_where_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    observer = LineObserver()
    observer.phase("training", 10, 4)
    for step in range(5, 11):
        observer.step(report(step))
    observer.phase("saving")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "training (4/10)"
    assert lines[1].startswith("  training 10/10 (")
    assert "left" not in lines[1]
    assert lines[2:] == ["saving"]


def test_the_rate_is_that_of_what_was_done_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [100.0]
    monkeypatch.setattr("cesello.entrypoints.cli.watch.time.perf_counter", lambda: clock[0])
    observer = LineObserver()
    observer.phase("training", 100, 40)
    clock[0] += 20.0
    observer.step(report(41))
    assert "  training 41/100 (0.1/s, 1180 s left) loss 2.000" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rate", "shown"), [(12.34, "12.3/s"), (0.05, "0.1/s"), (0.04, "25 s each"), (0.0, "0.0/s")]
)
def test_what_takes_long_is_told_in_seconds(rate: float, shown: str) -> None:
    assert pace(rate) == shown


def test_a_bar_begins_where_the_phase_does(monkeypatch: pytest.MonkeyPatch) -> None:
    observer = TerminalObserver()
    text = io.StringIO()
    monkeypatch.setattr(observer._progress.live, "console", Console(file=text))
    observer.phase("training", 10, 4)
    [task] = observer._progress.tasks
    assert (task.completed, task.total) == (4, 10)
    observer.step(report(5))
    assert (observer._progress.tasks[0].completed, observer._done, observer._before) == (5, 5, 4)
    observer.phase("evaluating", 3)
    assert (observer._progress.tasks[0].completed, observer._before) == (0, 0)
    observer.close()


def test_the_share_of_the_peak_is_shown_where_it_was_measured() -> None:
    assert figures(report(1)) == "loss 2.000  ppl 7.39  lr 1.0e-03  2000 tok/s"
    assert figures(report(1, 0.614)).endswith("  2000 tok/s  61% of peak")


def test_a_process_that_shares_the_work_says_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", "1")
    observer = make_observer()
    assert isinstance(observer, FollowingObserver)
    observer.phase("training", 10, 4)
    observer.note("a sentence")
    observer.close()
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("RANK", "0")
    assert isinstance(make_observer(), LineObserver)
