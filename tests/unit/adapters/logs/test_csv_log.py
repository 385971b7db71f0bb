from __future__ import annotations

from pathlib import Path

import pytest

from cesello.adapters.logs.csv_log import CsvLog
from cesello.domain.ports.logs import LoggedRun


@pytest.fixture
def log(tmp_path: Path) -> CsvLog:
    log = CsvLog()
    log.begin(LoggedRun("id", "demo", tmp_path), 0)
    return log


def test_a_column_that_comes_later_is_empty_before(log: CsvLog, tmp_path: Path) -> None:
    log.log(1, {"train/loss": 0.1})
    log.log(2, {"train/loss": 2, "train/learning_rate": 1e-5})
    log.log(2, {"eval/a,b/loss": 0.5})
    assert (tmp_path / "metrics.csv").read_text() == (
        'step,train/loss,train/learning_rate,"eval/a,b/loss"\n1,0.1,,\n2,2.0,1e-05,\n2,,,0.5\n'
    )


def test_a_table_has_its_columns_from_the_beginning(log: CsvLog, tmp_path: Path) -> None:
    assert (tmp_path / "metrics.csv").read_text() == "step\n"


def test_the_columns_stay_where_they_were_when_a_run_is_gone_on_with(log: CsvLog, tmp_path: Path) -> None:
    for step in (1, 2):
        log.log(step, {"train/loss": 0.5, "train/learning_rate": 0.25})
    again = CsvLog()
    again.begin(LoggedRun("id", "demo", tmp_path, resumed=True), 1)
    again.log(2, {"train/learning_rate": 0.125, "train/loss": 0.5})
    assert (tmp_path / "metrics.csv").read_text() == (
        "step,train/loss,train/learning_rate\n1,0.5,0.25\n2,0.5,0.125\n"
    )


def test_a_folder_that_is_gone_is_an_error_of_the_disk(log: CsvLog, tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").unlink()
    tmp_path.rmdir()
    with pytest.raises(OSError, match="No such file"):
        log.log(1, {"train/loss": 0.5})
