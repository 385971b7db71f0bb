from __future__ import annotations

import signal
from pathlib import Path

import pytest

from cesello.adapters.logs.several_logs import SeveralLogs, reason
from cesello.domain.errors import Interrupted, StorageError, UsageError
from cesello.domain.ports.logs import LoggedRun, MetricsLog
from tests.fakes.logs import FakeMetricsLog

RUN = LoggedRun("20260101-000000-demo", "demo", Path("memory"))


def not_installed() -> MetricsLog:
    raise ImportError("No module named 'wandb'")


def test_every_log_is_told_all() -> None:
    one, two = FakeMetricsLog(), FakeMetricsLog()
    said: list[str] = []
    several = SeveralLogs({"one": lambda: one, "two": lambda: two}, said.append)
    several.begin(RUN, 3)
    several.log(4, {"train/loss": 0.5})
    several.end("completed")
    for log in (one, two):
        assert (log.begun, log.rows, log.statuses) == ([(RUN, 3)], [(4, {"train/loss": 0.5})], ["completed"])
    assert said == []


def test_a_log_that_fails_is_said_once_and_left_out() -> None:
    good, bad = FakeMetricsLog(), FakeMetricsLog()
    said: list[str] = []
    several = SeveralLogs({"bad": lambda: bad, "good": lambda: good}, said.append)
    several.begin(RUN, 0)
    bad.broken = ConnectionError("the server is gone")
    for step in (1, 2):
        several.log(step, {"train/loss": 0.5})
    bad.broken = None
    several.end("completed")
    assert [step for step, _ in good.rows] == [1, 2]
    assert (bad.rows, bad.statuses) == ([], [])
    assert said == [
        'the logger "bad" failed, and the training goes on without it: ConnectionError: the server is gone'
    ]


def test_a_library_that_cannot_be_imported_is_a_failure_of_its_log() -> None:
    good = FakeMetricsLog()
    said: list[str] = []
    several = SeveralLogs({"wandb": not_installed, "good": lambda: good}, said.append)
    several.begin(RUN, 0)
    several.end("completed")
    assert good.statuses == ["completed"]
    assert len(said) == 1
    assert "No module named 'wandb'" in said[0]


def test_a_failure_at_the_end_is_said_too() -> None:
    log = FakeMetricsLog()
    said: list[str] = []
    several = SeveralLogs({"log": lambda: log}, said.append)
    several.begin(RUN, 0)
    log.broken = TimeoutError("not all figures were sent within 60 seconds")
    several.end("completed")
    assert "within 60 seconds" in said[0]


def test_nothing_is_logged_before_the_beginning_or_after_the_end() -> None:
    log = FakeMetricsLog()
    several = SeveralLogs({"log": lambda: log}, pytest.fail)
    several.log(1, {"train/loss": 0.5})
    several.begin(RUN, 0)
    several.end("completed")
    several.log(2, {"train/loss": 0.5})
    several.end("failed")
    assert (log.rows, log.statuses) == ([], ["completed"])


def test_a_signal_is_no_failure_of_a_log() -> None:
    log = FakeMetricsLog(broken=Interrupted(signal.SIGINT, "stopped"))
    several = SeveralLogs({"log": lambda: log}, pytest.fail)
    with pytest.raises(Interrupted):
        several.begin(RUN, 0)


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (ValueError("one\n  two"), "ValueError: one two"),
        (ValueError(), "ValueError"),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
        (UsageError("C065", "there is no key", fix="make one"), "there is no key · make one"),
        (StorageError("I003", "a run cannot be written"), "a run cannot be written"),
        (RuntimeError("http://me:secret@host:5000/api"), "RuntimeError: http://…@host:5000/api"),
    ],
)
def test_a_failure_is_said_on_one_line_without_a_password(failure: Exception, line: str) -> None:
    assert reason(failure) == line


def test_a_long_failure_is_cut() -> None:
    assert len(reason(RuntimeError("x" * 5000))) == 300
