"""The loggers that are extras, with their own libraries, without a network; `make loggers` installs them."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.repository import ROOT

LIBRARIES = ROOT / "build" / "loggers"
PROGRAM = ROOT / "tests" / "integration" / "logging_process.py"
LOSS = [[step, 3 / step] for step in range(1, 9)]
HELD_OUT = [[6, 0.5]]

pytestmark = pytest.mark.download


def environment(folder: Path) -> dict[str, str]:
    """That of a person who has set up each logger for this machine alone."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "PYTHONPATH": os.pathsep.join([str(LIBRARIES), str(ROOT)]),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "TRACKIO_DIR": str(folder / "trackio"),
        "WANDB_MODE": "offline",
    }


def process(name: str, folder: Path, part: str, **changes: str) -> subprocess.CompletedProcess[str]:
    (folder / "run").mkdir(exist_ok=True)
    (folder / "home").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, str(PROGRAM), name, str(folder / "run"), part],
        cwd=folder,
        env=environment(folder) | changes,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def killed_and_gone_on_with(name: str, folder: Path) -> Any:
    """What is there of a run whose first process was killed after step 6, and that went on after step 4."""
    assert process(name, folder, "first").returncode == -signal.SIGKILL
    again = process(name, folder, "again")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    read = process(name, folder, "read", MLFLOW_DISABLE_TELEMETRY="true")
    assert read.returncode == 0, read.stderr
    return json.loads(read.stdout)


def test_mlflow_has_every_figure_once(tmp_path: Path) -> None:
    found = killed_and_gone_on_with("mlflow", tmp_path)
    assert found["series"]["train/loss"] == LOSS
    assert found["series"]["eval/function calls/loss"] == HELD_OUT
    assert [step for step, _ in found["series"]["train/perplexity"]] == list(range(1, 9))
    assert (found["name"], found["status"]) == ("demo", "FINISHED")
    assert found["settings"]["training.max_steps"] == "8"
    assert not list((tmp_path / "home").rglob("telemetry.json"))


def test_trackio_has_every_figure_once(tmp_path: Path) -> None:
    found = killed_and_gone_on_with("trackio", tmp_path)
    assert found["series"]["train/loss"] == LOSS
    assert found["series"]["eval/function calls/loss"] == HELD_OUT
    assert found["series"]["train/perplexity"] == [[step, math.inf] for step in range(1, 9)]
    assert found["settings"]["training.max_steps"] == 8


def test_wandb_is_given_every_figure_and_nothing_else(tmp_path: Path) -> None:
    found = killed_and_gone_on_with("wandb", tmp_path)
    killed, again = found["parts"]
    # Two parts of one run for `wandb sync`; W&B refuses of the second what it has of the first.
    assert killed["series"]["train/loss"][:4] == LOSS[:4]
    assert again["series"]["train/loss"] == LOSS[4:]
    assert again["series"]["eval/function calls/loss"] == HELD_OUT
    assert killed["settings"]["training.max_steps"] == 8
    assert not {"wandb-metadata.json", "requirements.txt", "output.log"} & set(found["files"])


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("wandb", {"WANDB_MODE": "online"}, "Weights & Biases has no key of yours · run `wandb login`"),
        ("mlflow", {"MLFLOW_TRACKING_URI": "http://me:secret@127.0.0.1:9"}, "MlflowException"),
    ],
)
def test_a_service_that_is_not_there_is_said_in_a_sentence(
    name: str, changes: dict[str, str], said: str, tmp_path: Path
) -> None:
    done = process(name, tmp_path, "first", **changes)
    assert f'the logger "{name}" failed, and the training goes on without it: ' in done.stderr
    assert said in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr
