"""Procedures at work: searched, followed, logged, calibrated, and what is said where something is wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SKILL = """\
---
name: {name}
description: {description}
---
Do it.
"""
SOP = """\
schema_version: 1
triggers:
  examples: [run the checks, "are all checks green?", check it]
inputs:
  - {name: word, default: fine}
steps:
  - {id: look, do: "Say {word}.", expect: {kind: contains, value: fine}, on_fail: {retry: 1, then: ask_user}}
  - {id: verify, do: "Run the command.", tools: [shell], expect: {kind: exit_code, value: 0}}
success: {step: verify}
"""


def cesello(folder: Path, *arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("cesello")), *arguments]
    return subprocess.run(command, cwd=folder, input=said, capture_output=True, text=True, timeout=120)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / ".cesello" / "procedures" / "run-checks"
    folder.mkdir(parents=True)
    text = SKILL.format(name="run-checks", description="Runs all checks. Use when somebody asks for checks.")
    (folder / "SKILL.md").write_text(text)
    (folder / "sop.yaml").write_text(SOP)
    return tmp_path


def logged(project: Path) -> list[dict[str, object]]:
    done = cesello(project, "sop", "log", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


def test_a_procedure_is_followed_step_by_step(project: Path) -> None:
    done = cesello(project, "sop", "run", "run-checks", said="nothing\n.\nall fine\n.\n0\n")
    assert done.returncode == 0, done.stderr
    assert "step 1 of 2: look, try 2" in done.stdout
    assert "success: 3 tries" in done.stdout
    (run,) = logged(project)
    assert run["outcome"] == "success"
    assert [(step["step"], step["passed"]) for step in run["steps"]] == [  # type: ignore[attr-defined]
        ("look", False), ("look", True), ("verify", True),
    ]  # fmt: skip


def test_commands_that_are_typed_are_run_and_checked(project: Path) -> None:
    done = cesello(
        project, "sop", "run", "run-checks", "--shell", "--inputs", "word=fine", said="echo fine\nexit 3\n"
    )
    assert "exit code 3" in done.stdout
    assert logged(project)[0]["outcome"] == "failure"


def test_who_stops_after_a_failed_step_has_failed(project: Path) -> None:
    cesello(project, "sop", "run", "run-checks", said="no\n.\nno\n.\nstop\n")
    assert logged(project)[0]["outcome"] == "failure"


def test_who_goes_away_has_abandoned_it(project: Path) -> None:
    done = cesello(project, "sop", "run", "run-checks", said="all fine\n.\n")
    assert done.returncode == 130
    assert logged(project)[0]["outcome"] == "abandoned"


def test_control_c_abandons_it(project: Path) -> None:
    command = [str(Path(sys.executable).with_name("cesello")), "sop", "run", "run-checks"]
    with subprocess.Popen(
        command, cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        while "dot" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert logged(project)[0]["outcome"] == "abandoned"


def test_a_run_can_be_judged_later(project: Path) -> None:
    cesello(project, "sop", "run", "run-checks", said="all fine\n.\n1\n")
    run = logged(project)[0]
    done = cesello(project, "sop", "log", "--judge", str(run["id"]), "success", "--json")
    assert json.loads(done.stdout)[0]["outcome"] == "success"
    stats = json.loads(cesello(project, "sop", "stats", "--json").stdout)
    assert [(one["runs"], one["judged"], one["status"]) for one in stats] == [(1, 1, "active")]


def test_a_request_finds_it_or_nothing(project: Path) -> None:
    found = json.loads(cesello(project, "sop", "search", "please run all the checks", "--json").stdout)
    assert found["procedure"] == "run-checks"
    done = cesello(project, "sop", "search", "hello")
    assert done.stdout.startswith("nothing applies")


def test_labelled_requests_calibrate_and_are_kept(project: Path) -> None:
    evals = project / "evals.jsonl"
    evals.write_text(
        '{"query": "are the checks green", "procedure": "run-checks"}\n'
        '{"query": "a poem", "procedure": null}\n'
    )
    done = cesello(project, "sop", "calibrate", "--evals", "evals.jsonl", "--json")
    assert json.loads(done.stdout)["labelled"] == 2
    file = project / ".cesello" / "procedures" / "matching.json"
    assert file.stat().st_mode & 0o777 == 0o600
    skill = project / ".cesello" / "procedures" / "write-docs"
    skill.mkdir()
    (skill / "SKILL.md").write_text(
        SKILL.format(name="write-docs", description="Writes documents for users.")
    )
    done = cesello(project, "sop", "search", "a poem")
    assert "procedures have changed" in done.stderr
    assert json.loads(file.read_text())["labelled"][1] == ["a poem", None]


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        (["run", "nothing"], "D043", 3),
        (["run", "run-checks", "--inputs", "word"], "C116", 2),
        (["run", "run-checks", "--inputs", "other=x"], "C115", 2),
        (["log", "--judge", "x", "success"], "C117", 2),
        (["calibrate", "--evals", "wrong.jsonl"], "C118", 2),
        (["calibrate", "--evals", "other.jsonl"], "D049", 3),
        (["calibrate", "--evals", "nothing.jsonl"], "I003", 74),
    ],
)
def test_what_is_wrong_is_said(project: Path, arguments: list[str], code: str, status: int) -> None:
    (project / "wrong.jsonl").write_text('{"query": "x"}\n{"procedure": null}\nnot json\n')
    (project / "other.jsonl").write_text('{"query": "x", "procedure": "another"}\n')
    done = cesello(project, "sop", *arguments)
    assert f"error[{code}]" in done.stderr
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert not logged(project)
