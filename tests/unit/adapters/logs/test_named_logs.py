from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from cesello.adapters.logs.named_logs import EXTRAS, MAKERS, check_logs, named_logs
from cesello.domain.errors import UsageError
from cesello.domain.ports.logs import LoggedRun
from tests.repository import pyproject

ABSENT = [name for name in EXTRAS if find_spec(name) is None]
LIGHT = """
import sys
from cesello.adapters.logs.named_logs import check_logs, named_logs
check_logs(["csv", "tensorboard"])
named_logs(["csv", "tensorboard", "wandb", "mlflow", "trackio"], print)
print(sorted({"numpy", "tensorboard", "torch", "wandb", "mlflow", "trackio"} & sys.modules.keys()))
"""


def test_every_extra_is_one_of_the_project() -> None:
    assert set(EXTRAS) < pyproject()["project"]["optional-dependencies"].keys()
    assert set(EXTRAS) < MAKERS.keys()


def test_what_is_always_there_needs_nothing() -> None:
    check_logs(["csv", "tensorboard"])


@pytest.mark.parametrize("name", ABSENT)
def test_a_logger_that_is_not_installed_is_refused_before_anything_begins(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_logs(["csv", name])
    assert str(caught.value) == (
        f'error[C064] the logger "{name}" is not installed · run `pip install "cesello[{name}]"`, '
        "or leave the logger out"
    )
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("name", ABSENT)
def test_a_logger_that_cannot_be_imported_ends_nothing(name: str, tmp_path: Path) -> None:
    said: list[str] = []
    logs = named_logs([name, "csv"], said.append)
    before = dict(os.environ)
    try:
        logs.begin(LoggedRun("id", "demo", tmp_path), 0)
    finally:
        os.environ.clear()
        os.environ.update(before)
    logs.log(1, {"train/loss": 0.5})
    logs.end("completed")
    assert [f'the logger "{name}" failed' in line for line in said] == [True]
    assert (tmp_path / "metrics.csv").read_text() == "step,train/loss\n1,0.5\n"


def test_a_name_given_twice_is_one_log(tmp_path: Path) -> None:
    logs = named_logs(["csv", "csv"], pytest.fail)
    logs.begin(LoggedRun("id", "demo", tmp_path), 0)
    logs.log(1, {"train/loss": 0.5})
    assert (tmp_path / "metrics.csv").read_text() == "step,train/loss\n1,0.5\n"


def test_no_library_is_loaded_before_a_log_begins() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
