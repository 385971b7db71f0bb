"""Runs as a person sees them: in a terminal of 80 columns, in a pipe, and while one trains.

What a run holds is others' text. In whatever field it is, nothing of it acts on the terminal.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tests.e2e.command import COMMAND, environment
from tests.e2e.runs_shown import COMMANDS, QUERIES
from tests.injections import INJECTIONS, acting
from tests.repository import ROOT
from tests.run_folders import (
    STEPS,
    evaluation,
    metrics_line,
    timings_line,
    write_log,
    write_manifest,
    write_run,
)
from tests.terminal import Terminal

PROGRAM = (sys.executable, "-m", "tests.e2e.runs_shown")


def surroundings() -> dict[str, str]:
    kept = {key: value for key, value in environment().items() if key not in ("NO_COLOR", "COLUMNS", "LINES")}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}


@pytest.fixture(scope="module", params=["terminal", "pipe"])
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """All that all commands write of all injections."""
    folder = tmp_path_factory.mktemp("shown")
    if request.param == "terminal":
        terminal = Terminal([*PROGRAM, folder], cwd=ROOT, environment=surroundings())
        assert terminal.end() == 0, terminal.text[-2000:]
        return terminal.text
    done = subprocess.run([*PROGRAM, folder], cwd=ROOT, env=surroundings(), capture_output=True, check=False)
    text = (done.stdout + done.stderr).decode("utf-8", "backslashreplace")
    assert done.returncode == 0, text[-2000:]
    assert "\x1b" not in text
    return text


def test_no_text_of_a_run_acts_on_the_terminal(shown: str) -> None:
    assert len(INJECTIONS) >= 25
    for part in shown.split("== ")[1:]:
        heading = part.splitlines()[0]
        assert acting(part, redraws="tail" in heading) == "", heading
        assert "\x1b[" not in part or "json" not in heading


def test_no_text_of_a_run_looks_like_another_row(shown: str) -> None:
    assert "fake-run" in shown
    assert not [line for line in shown.splitlines() if line.strip().startswith("fake-run")]


def test_all_was_shown_and_without_what_hid(shown: str) -> None:
    parts = shown.split("== ")[1:]
    assert len(parts) >= len(INJECTIONS) * len(COMMANDS + QUERIES)
    by_heading = {part.splitlines()[0].strip(): part for part in parts}
    for command in (*COMMANDS, *QUERIES):
        if "runs/two" not in command:  # its id is a plain one, and a pipe is told no more
            assert "magenta" in by_heading[f"0 {' '.join(command)}"], command


@pytest.fixture
def running(tmp_path: Path) -> Path:
    """A run that trains: somebody holds its lock."""
    return write_run(
        tmp_path / "runs",
        "demo",
        steps=3,
        status="running",
        finished=None,
        after=None,
        seconds=0.0,
        steps_done=0,
    )


def grow(run: Path, step: int) -> None:
    write_log(run, "metrics", [metrics_line(step)], mode="a")
    write_log(run, "timings", [timings_line(step)], mode="a")


def followed(run: Path, *options: str, size: tuple[int, int] = (24, 80)) -> Terminal:
    arguments: list[str | Path] = [COMMAND, "runs", "tail", "--every", "0.1", *options]
    return Terminal(arguments, cwd=run.parent.parent, environment=surroundings(), size=size)


def test_a_run_is_followed_to_its_end_in_its_place(running: Path) -> None:
    with FileLock(running / ".lock"):
        terminal = followed(running)
        terminal.wait_for(lambda text: "training: step 3 of 12, about 18 s left" in text)
        for step in range(4, STEPS + 1):
            grow(running, step)
        terminal.wait_for(lambda text: "step 12 of 12" in text)
        write_log(running, "alarms", [{"step": 12, "name": "kl", "text": "too far away"}])
        write_log(running, "evaluations", [{"step": 12, "when": "after", **evaluation(1.0)}], mode="a")
        terminal.wait_for(lambda text: "step 12: too far away" in text)
        write_manifest(running)
        assert terminal.end() == 0
    *_, last = terminal.text.split("\x1b[J")[:-1]
    assert acting(terminal.text, redraws=True) == ""
    assert "completed" in last
    assert "cesello runs show demo" in last
    first_line, *_ = last.splitlines()
    assert first_line.startswith("\x1b[")  # back to where the picture before began
    assert all(len(line) <= 80 for line in acting_free(last).splitlines())


def acting_free(text: str) -> str:
    """The signs alone."""
    from tests.injections import REDRAWN, SGR

    return REDRAWN.sub("", SGR.sub("", text)).replace("\r", "")


def test_a_picture_is_never_higher_than_the_terminal(running: Path) -> None:
    with FileLock(running / ".lock"):
        terminal = followed(running, size=(6, 60))
        terminal.wait_for(lambda text: text.count("\x1b[J") >= 2)
        terminal.press(b"\x03")
        terminal.end()
    for picture in terminal.text.split("\x1b[J")[:2]:
        assert picture.count("\n") <= 5
        assert all(len(line) <= 60 for line in acting_free(picture).splitlines())


def test_ctrl_c_ends_it_quietly(running: Path) -> None:
    with FileLock(running / ".lock"):
        terminal = followed(running)
        terminal.wait_for(lambda text: "step 3 of 12" in text)
        terminal.press(b"\x03")
        assert terminal.end() == 130
    assert "Traceback" not in terminal.text
    assert "stopped" not in terminal.text.rpartition("\x1b[J")[2].replace("^C", "")


def test_a_killed_run_is_said_to_be(running: Path) -> None:
    lock = FileLock(running / ".lock")
    with lock:
        terminal = followed(running)
        terminal.wait_for(lambda text: "step 3 of 12" in text)
    assert terminal.end() == 0
    assert "stopped without saying so" in terminal.text
    assert "--resume --run demo" in terminal.text


def test_in_a_pipe_every_step_is_a_line(running: Path) -> None:
    with FileLock(running / ".lock"):
        process = subprocess.Popen(
            [COMMAND, "runs", "tail", "--every", "0.1", "-n", "2"],
            cwd=running.parent.parent, env=surroundings(), stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        assert lines[0] == "demo: running, training: step 3 of 12, about 18 s left\n"
        assert [line.split("  ")[0] for line in lines[1:]] == ["step 2", "step 3"]
        grow(running, 4)
        assert process.stdout.readline().startswith("step 4  loss 0.500  token accuracy 50.0%")
        # Gone on with from step 2: what came later is cut away and comes again.
        text = (running / "metrics.jsonl").read_text().splitlines(keepends=True)
        (running / "metrics.jsonl").write_text("".join(text[:2]))
        assert process.stdout.readline().startswith("the run was gone on with")
        assert [process.stdout.readline().split("  ")[0].strip() for _ in range(2)] != []
        write_manifest(running, status="interrupted", error="stopped after step 2")
        with process.stdout:
            rest = process.stdout.read()
    assert process.wait(60) == 0
    assert "interrupted: stopped after step 2\nGo on with it:" in rest


def test_ascii_is_enough(tmp_path: Path) -> None:
    write_run(tmp_path / "runs", "demo")
    changes = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [COMMAND, "runs", "show", "demo"],
        cwd=tmp_path, env=surroundings() | changes, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert b"\\u" not in done.stdout
    assert os.linesep.encode() in done.stdout
