"""SIGINT and SIGTERM in every phase: the command ends in time, and goes on as if there had been none."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cesello.adapters.model.hf_policy import HfPolicy
from cesello.adapters.run.folder_checkpoints import FolderCheckpoints
from cesello.adapters.training.lightning_sft import SftModule
from cesello.entrypoints.cli import watch
from cesello.entrypoints.signals import GRACE
from tests.e2e.command import cesello_here, environment
from tests.integration.end_state import end_state
from tests.repository import ROOT
from tests.tiny_model import make_tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = """
name: stopped
model: {name: ./tiny, dtype: float32}
lora: {r: 4, alpha: 8, dropout: 0.1}
data:
  sources:
    - {name: rows, kind: file, path: rows.jsonl, holdout: 4}
training: {max_steps: 6, batch_size: 2, accumulate: 2, learning_rate: 1.0e-2}
evaluation: {every_steps: 2, samples: 1, max_new_tokens: 4}
checkpoint: {every_steps: 2, final: best}
loggers: []
"""
TRAIN = ("train", "recipe.yaml", "--run", "mine", "--resume", "--no-memory-check")
SIGNALS = (signal.SIGINT, signal.SIGTERM)
Send = Callable[[], None]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project, and in "whole" what a training comes to that nobody stops."""
    folder = tmp_path_factory.mktemp("made")
    make_tiny_model(folder / "tiny")
    rows = [{"prompt": f"say {n}", "completion": f"number {n}, as you asked"} for n in range(40)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module")
def whole(made: Path) -> dict[str, str]:
    done = cesello_here(*TRAIN, cwd=made)
    assert done.returncode == 0, done.stderr
    before = Path.cwd()
    os.chdir(made)
    try:
        return end_state("mine")
    finally:
        os.chdir(before)


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project anew, where nothing is prepared yet."""
    folder = tmp_path / "project"
    shutil.copytree(made, folder, ignore=shutil.ignore_patterns("runs"))
    monkeypatch.setenv("CESELLO_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(folder)
    return folder


# Where a signal is sent: once, and surely there


def in_phase(beginning: str) -> Callable[[pytest.MonkeyPatch, Send], None]:
    """When a phase begins whose name begins so."""

    def arrange(monkeypatch: pytest.MonkeyPatch, send: Send) -> None:
        class Sending(watch.LineObserver):
            def phase(self, name: str, total: int | None = None, done: int = 0) -> None:
                super().phase(name, total, done)
                if name.startswith(beginning):
                    send()

        monkeypatch.setattr(watch, "make_observer", Sending)

    return arrange


def in_call(
    owner: type, name: str, nth: int = 1, *, after: bool = False
) -> Callable[[pytest.MonkeyPatch, Send], None]:
    """In the nth call of a method, before or after its work."""

    def arrange(monkeypatch: pytest.MonkeyPatch, send: Send) -> None:
        call, calls = getattr(owner, name), [0]

        def sending(self: Any, *arguments: Any, **options: Any) -> Any:
            calls[0] += 1
            if calls[0] == nth and not after:
                send()
            result = call(self, *arguments, **options)
            if calls[0] == nth and after:
                send()
            return result

        monkeypatch.setattr(owner, name, sending)

    return arrange


BEFORE_A_RUN = {
    "loading the tokenizer": in_phase("loading the tokenizer"),
    "reading": in_phase("reading rows"),
    "tokenising": in_phase("tokenising rows"),
    "loading the model": in_phase("loading /"),
}
IN_A_RUN = {
    "evaluating before": (in_phase("evaluating before"), 0),
    "scoring": (in_call(HfPolicy, "score", after=True), 0),
    "answering": (in_call(HfPolicy, "_is_stopped", 3), 0),
    "training begins": (in_phase("training"), 0),
    "in the first accumulation": (in_call(SftModule, "loss", 1), 0),
    "in an accumulation": (in_call(SftModule, "loss", 2 * 2 + 1), 2),
    "the last pass of a step": (in_call(SftModule, "loss", 2 * 2 + 2), 3),
    "evaluating on the way": (in_phase("evaluating step-00000004"), 4),
    "answering on the way": (in_call(HfPolicy, "_is_stopped", 4 + 2), 2),
    "saving a checkpoint": (in_call(FolderCheckpoints, "save", 2), 4),
    "a checkpoint is saved": (in_call(FolderCheckpoints, "save", 1, after=True), 2),
    "evaluating after": (in_phase("evaluating after"), 6),
}


def once(number: signal.Signals) -> Send:
    sent: list[int] = []

    def send() -> None:
        if not sent:
            sent.append(number)
            os.kill(os.getpid(), number)

    return send


def stopped(arrange: Callable[[pytest.MonkeyPatch, Send], None], number: signal.Signals) -> str:
    """What the command says when it is sent a signal there; the last line."""
    with pytest.MonkeyPatch.context() as patch:
        arrange(patch, once(number))
        began = time.perf_counter()
        done = cesello_here(*TRAIN, cwd=Path.cwd())
    assert done.returncode == 128 + number, done.stderr
    assert time.perf_counter() - began < GRACE
    timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    assert all(timer.finished.is_set() for timer in timers), "the process would end in a while"
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def finished(whole: dict[str, str]) -> str:
    """Goes on to the end, which is that of a training that nobody stopped; what the command says."""
    done = cesello_here(*TRAIN, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr
    assert end_state("mine") == whole
    return done.stderr


@pytest.mark.parametrize("place", BEFORE_A_RUN)
def test_before_there_is_a_run_nothing_is_left(project: Path, whole: dict[str, str], place: str) -> None:
    number = SIGNALS[list(BEFORE_A_RUN).index(place) % 2]
    line = stopped(BEFORE_A_RUN[place], number)
    assert line == f"error[T{128 + number}] stopped by {number.name} · run the command again"
    assert not (project / "runs").exists()
    assert "training (0/6)" in finished(whole)


@pytest.mark.parametrize("place", IN_A_RUN)
def test_in_a_run_nothing_is_lost(project: Path, whole: dict[str, str], place: str) -> None:
    arrange, steps = IN_A_RUN[place]
    number = SIGNALS[list(IN_A_RUN).index(place) % 2]
    line = stopped(arrange, number)
    fix = " · `cesello train RECIPE --resume --run mine` goes on from there"
    assert line.startswith(f"error[T{128 + number}] stopped ")
    assert line.endswith(fix)
    manifest = json.loads((project / "runs" / "mine" / "manifest.json").read_text())
    assert (manifest["status"], manifest["steps"]) == ("interrupted", steps)
    assert not list((project / "runs").rglob("*partial*"))
    said = finished(whole)
    assert f"going on with mine after step {steps}" in said
    assert steps == 6 or f"training ({steps}/6)" in said


def test_a_signal_that_comes_when_all_is_measured_comes_too_late(
    project: Path, whole: dict[str, str]
) -> None:
    """The run is completed; to say that it was stopped would have it begun again."""
    with pytest.MonkeyPatch.context() as patch:
        in_phase("saving")(patch, once(signal.SIGTERM))
        done = cesello_here(*TRAIN, cwd=project)
    assert done.returncode == 0, done.stderr
    assert json.loads((project / "runs" / "mine" / "manifest.json").read_text())["status"] == "completed"
    assert end_state("mine") == whole


def test_stopped_at_every_step_it_ends_the_same(project: Path, whole: dict[str, str]) -> None:
    for step in range(1, 6):
        line = stopped(in_call(SftModule, "loss", 2), SIGNALS[step % 2])
        assert f"stopped after step {step} of 6; weights: runs/mine/lora" in line
    finished(whole)
    manifest = json.loads((project / "runs" / "mine" / "manifest.json").read_text())
    assert [resume["step"] for resume in manifest["resumes"]] == [1, 2, 3, 4, 5]


TWICE = """
import os, signal, sys
from cesello.adapters.run import folder_checkpoints
from cesello.entrypoints.cli.main import main

def twice(folder, state):
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    print("still here", flush=True)

folder_checkpoints.seal = twice
main(sys.argv[1:])
"""


def test_the_second_signal_ends_it_at_once_and_what_was_saved_is_whole(
    project: Path, whole: dict[str, str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TWICE, *TRAIN],
        cwd=project,
        env=environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (130, ""), done.stderr
    assert os.listdir(project / "runs" / "mine" / "checkpoints") == [".step-00000002.partial"]
    assert "going on with mine after step 0" in finished(whole)
