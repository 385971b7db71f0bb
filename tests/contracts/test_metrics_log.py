"""What every MetricsLog owes, on the fake, the table and the event files.

Logs that are services owe the same, see tests/integration/test_loggers.py.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from cesello.adapters.logs.csv_log import CsvLog
from cesello.adapters.logs.tensorboard_log import TensorBoardLog
from cesello.domain.ports.logs import LoggedRun, MetricsLog
from tests.fakes.logs import FakeMetricsLog
from tests.logged_figures import Series, float32, in_csv, in_tensorboard

SETTINGS = {"training.max_steps": 9, "name": "demo", "quantizer.double_quant": True, "nothing": None}


class Place(Protocol):
    """Where one kind of log keeps figures."""

    def open(self) -> MetricsLog:
        """A log as a process of its own would make it."""
        ...

    def read(self) -> Series: ...

    def kept(self, value: float) -> float:
        """What of a number is kept."""
        ...


class Memory:
    def __init__(self, folder: Path) -> None:
        self._rows: list[tuple[int, dict[str, float]]] = []

    def open(self) -> MetricsLog:
        return FakeMetricsLog(self._rows)

    def read(self) -> Series:
        series: Series = defaultdict(list)
        for step, figures in self._rows:
            for name, value in figures.items():
                series[name].append((step, value))
        return dict(series)

    def kept(self, value: float) -> float:
        return value


class Table:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self) -> MetricsLog:
        return CsvLog()

    def read(self) -> Series:
        return in_csv(self._folder)

    def kept(self, value: float) -> float:
        return value


class Events:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self) -> MetricsLog:
        return TensorBoardLog()

    def read(self) -> Series:
        return in_tensorboard(self._folder)

    def kept(self, value: float) -> float:
        return float32(value)


PLACES: Mapping[str, Callable[[Path], Place]] = {"fake": Memory, "csv": Table, "tensorboard": Events}
FILES = {"csv": "metrics.csv", "tensorboard": "tensorboard/*"}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return PLACES[request.param](tmp_path)


@pytest.fixture
def run(tmp_path: Path) -> LoggedRun:
    return LoggedRun("20260101-000000-demo", "demo", tmp_path, SETTINGS)


@pytest.fixture
def resumed(tmp_path: Path) -> LoggedRun:
    return LoggedRun("20260101-000000-demo", "demo", tmp_path, SETTINGS, resumed=True)


def loss(step: int) -> float:
    return 3 / step + 1e-9


def steps(log: MetricsLog, first: int, last: int) -> None:
    for step in range(first, last + 1):
        log.log(step, {"train/loss": loss(step)})


def expected(place: Place, *steps: int) -> list[tuple[int, float]]:
    return [(step, place.kept(loss(step))) for step in steps]


def test_making_a_log_leaves_no_trace(place: Place, tmp_path: Path) -> None:
    place.open()
    assert list(tmp_path.iterdir()) == []


def test_every_figure_is_there_as_it_was_given(place: Place, run: LoggedRun) -> None:
    log = place.open()
    log.begin(run, 0)
    steps(log, 1, 3)
    log.end("completed")
    assert place.read() == {"train/loss": expected(place, 1, 2, 3)}


def test_a_figure_is_there_before_the_end(place: Place, run: LoggedRun) -> None:
    log = place.open()
    log.begin(run, 0)
    steps(log, 1, 2)
    assert place.read() == {"train/loss": expected(place, 1, 2)}
    log.end("failed")


def test_names_may_come_later_and_not_at_every_step(place: Place, run: LoggedRun) -> None:
    log = place.open()
    log.begin(run, 0)
    log.log(0, {"eval/functions/loss": 4.5})
    steps(log, 1, 2)
    log.log(2, {"eval/functions/loss": 0.25, "eval/chat, spoken/loss": 0.5})
    steps(log, 3, 3)
    log.end("completed")
    assert place.read() == {
        "eval/functions/loss": [(0, 4.5), (2, 0.25)],
        "train/loss": expected(place, 1, 2, 3),
        "eval/chat, spoken/loss": [(2, 0.5)],
    }


def test_a_number_that_is_not_finite_is_one_all_the_same(place: Place, run: LoggedRun) -> None:
    log = place.open()
    log.begin(run, 0)
    log.log(1, {"train/perplexity": math.inf, "train/gradient_norm": math.nan, "eval/huge": 1e300})
    log.end("failed")
    read = place.read()
    assert read["train/perplexity"] == [(1, math.inf)]
    assert math.isnan(read["train/gradient_norm"][0][1])
    assert read["eval/huge"][0][1] in (1e300, math.inf)


def test_nothing_is_twice_after_a_process_was_killed(
    place: Place, run: LoggedRun, resumed: LoggedRun
) -> None:
    killed = place.open()
    killed.begin(run, 0)
    steps(killed, 1, 6)
    killed.log(6, {"eval/functions/loss": 1.5})
    log = place.open()
    log.begin(resumed, 4)
    steps(log, 5, 8)
    log.end("completed")
    read = place.read()
    assert read.pop("train/loss") == expected(place, 1, 2, 3, 4, 5, 6, 7, 8)
    assert not any(read.values())


def test_a_run_may_be_gone_on_with_again_and_again(place: Place, run: LoggedRun, resumed: LoggedRun) -> None:
    for each, first_step in ((run, 0), (resumed, 2), (resumed, 2), (resumed, 1)):
        log = place.open()
        log.begin(each, first_step)
        steps(log, first_step + 1, first_step + 3)
    assert place.read() == {"train/loss": expected(place, 1, 2, 3, 4)}


def test_a_run_that_logged_nothing_can_be_gone_on_with(place: Place, resumed: LoggedRun) -> None:
    log = place.open()
    log.begin(resumed, 3)
    steps(log, 4, 4)
    log.end("completed")
    assert place.read() == {"train/loss": expected(place, 4)}


def test_a_run_that_begins_anew_forgets_all(place: Place, run: LoggedRun) -> None:
    for last in (3, 2):
        log = place.open()
        log.begin(run, 0)
        log.log(0, {"eval/functions/loss": last})
        steps(log, 1, last)
    assert place.read() == {"eval/functions/loss": [(0, 2.0)], "train/loss": expected(place, 1, 2)}


@pytest.mark.parametrize("torn", [1, 7])
@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_ends_in_the_middle_of_a_step_is_gone_on_with(
    kind: str, torn: int, run: LoggedRun, resumed: LoggedRun
) -> None:
    place = PLACES[kind](run.folder)
    killed = place.open()
    killed.begin(run, 0)
    steps(killed, 1, 4)
    [file] = run.folder.glob(FILES[kind])
    file.write_bytes(file.read_bytes()[:-torn])
    log = place.open()
    log.begin(resumed, 3)
    steps(log, 4, 5)
    log.end("completed")
    assert place.read() == {"train/loss": expected(place, 1, 2, 3, 4, 5)}


@pytest.mark.parametrize("kind", FILES)
def test_nobody_else_reads_the_files(kind: str, run: LoggedRun) -> None:
    log = PLACES[kind](run.folder).open()
    log.begin(run, 0)
    steps(log, 1, 1)
    log.log(1, {"train/perplexity": 2.0})
    log.end("completed")
    assert {file.stat().st_mode & 0o777 for file in run.folder.glob(FILES[kind])} == {0o600}
