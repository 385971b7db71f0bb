"""Procedures at work: searched, followed, logged, calibrated, and what is said where something is wrong."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cesello.domain.procedure_outcomes import HOLD_OUT, TRIAL, share_of
from tests.e2e.command import COMMAND, cesello_here

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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(said.encode()), encoding="utf-8"))
        return cesello_here(*arguments, cwd=folder)


@pytest.fixture
def project(tmp_path: Path, url: str) -> Path:
    embedder = f"{{engine: openai, url: '{url}', model: words}}"
    (tmp_path / "cesello.yaml").write_text(f"memory: {{embedder: {embedder}}}\n")
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
    command = [str(COMMAND), "sop", "run", "run-checks"]
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


def test_where_there_are_none_a_request_is_told_how_to_get_some(tmp_path: Path) -> None:
    done = cesello(tmp_path, "sop", "search", "please run all the checks")
    assert "nothing applies" in done.stdout
    assert "`cesello sop new --all`" in done.stderr
    assert "`cesello sop new --all`" in cesello(tmp_path, "sop", "stats").stdout


def test_labelled_requests_calibrate_and_are_kept(project: Path) -> None:
    evals = project / "evals.jsonl"
    evals.write_text(
        '{"query": "are the checks green", "procedure": "run-checks"}\n'
        '{"query": "a poem", "procedure": null}\n'
        f'{{"query": "push with {"ghp_" + "a1" * 18}", "procedure": null}}\n'
    )
    done = cesello(project, "sop", "calibrate", "--evals", "evals.jsonl", "--json")
    assert json.loads(done.stdout)["labelled"] == 3
    file = project / ".cesello" / "procedures" / "matching.json"
    assert file.stat().st_mode & 0o777 == 0o600
    skill = project / ".cesello" / "procedures" / "write-docs"
    skill.mkdir()
    (skill / "SKILL.md").write_text(
        SKILL.format(name="write-docs", description="Writes documents for users.")
    )
    done = cesello(project, "sop", "search", "a poem")
    assert "procedures have changed" in done.stderr
    labelled = json.loads(file.read_text())["labelled"]
    assert labelled[1:] == [["a poem", None], ["push with [a token of GitHub]", None]]
    assert (file.parent / ".gitignore").read_text() == "matching.json\n"


def test_labelled_requests_are_not_lost_with_a_damaged_file(project: Path) -> None:
    (project / "evals.jsonl").write_text('{"query": "a poem", "procedure": null}\n')
    cesello(project, "sop", "calibrate", "--evals", "evals.jsonl")
    file = project / ".cesello" / "procedures" / "matching.json"
    file.write_text(file.read_text()[:-40])
    done = cesello(project, "sop", "search", "a poem")
    assert done.returncode == 0
    assert "note: error[D048] what matching had learnt is damaged" in done.stderr
    assert "a poem" in (file.parent / ".learnt" / "matching.damaged.json").read_text()
    assert "D048" not in cesello(project, "sop", "search", "a poem").stderr


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        (["run", "nothing"], "D043", 3),
        (["run", "off"], "C129", 2),
        (["run", "auto"], "C129", 2),
        (["run", "auto", "--request", "a poem on the sea"], "C129", 2),
        (["run", "no-skill"], "D042", 3),
        (["lint", "no-skill"], "D042", 3),
        (["show", "no-skill"], "D042", 3),
        (["new", "no-skill"], "C111", 2),
        (["new", "auto"], "C111", 2),
        (["log", "nothing"], "D043", 3),
        (["run", "run-checks", "--inputs", "word"], "C116", 2),
        (["run", "run-checks", "--inputs", "other=x"], "C115", 2),
        (["log", "--judge", "x", "success"], "C117", 2),
        (["calibrate", "--evals", "wrong.jsonl"], "C118", 2),
        (["stats", "--of", "nonsense"], "C128", 2),
        (["calibrate", "--evals", "other.jsonl"], "D049", 3),
        (["calibrate", "--evals", "nothing.jsonl"], "I003", 74),
    ],
)
def test_what_is_wrong_is_said(project: Path, arguments: list[str], code: str, status: int) -> None:
    (project / ".cesello" / "procedures" / "no-skill").mkdir()
    (project / "wrong.jsonl").write_text('{"query": "x"}\n{"procedure": null}\nnot json\n')
    (project / "other.jsonl").write_text('{"query": "x", "procedure": "another"}\n')
    done = cesello(project, "sop", *arguments)
    assert f"error[{code}]" in done.stderr
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert not logged(project)


def test_a_log_that_is_damaged_is_told_before_the_first_step(project: Path) -> None:
    learnt = project / ".cesello" / "procedures" / ".learnt"
    learnt.mkdir()
    (learnt / "runs.sqlite3").write_bytes(b"no database" * 100)
    done = cesello(project, "sop", "run", "run-checks", said="all fine\n.\n0\n")
    assert "error[D048]" in done.stderr
    assert "step 1" not in done.stdout


def test_what_stays_in_the_background_holds_nothing_up(project: Path) -> None:
    said = "echo fine; (sleep 20; touch late) &\nhead -c 3000000 /dev/zero | tr '\\0' x; cat; echo\n"
    done = cesello(project, "sop", "run", "run-checks", "--shell", said=said)
    assert "success: 2 tries" in done.stdout
    assert not (project / "late").exists()
    assert len(json.dumps(logged(project))) < 20_000


def test_the_procedure_that_matches_is_followed_unless_the_request_is_held_out(project: Path) -> None:
    requests = [f"please run all the checks, number {number}" for number in range(60)]
    held = next(one for one in requests if share_of(one, "run-checks/hold-out") < HOLD_OUT)
    done = cesello(project, "sop", "run", "auto", "--request", held)
    assert "held out" in done.stderr
    other = next(one for one in requests if share_of(one, "run-checks/hold-out") >= HOLD_OUT)
    done = cesello(project, "sop", "run", "auto", "--request", other, said="all fine\n.\n0\n")
    assert "success" in done.stdout, done.stderr
    assert [(run["name"], run["request"]) for run in logged(project)] == [("run-checks", other)]


def test_a_procedure_whose_folder_is_gone_is_not_used(project: Path) -> None:
    cesello(project, "sop", "list")
    shutil.rmtree(project / ".cesello" / "procedures" / "run-checks")
    done = cesello(project, "sop", "run", "run-checks", said="all fine\n.\n0\n")
    assert "error[D043]" in done.stderr
    assert not logged(project)


def test_the_one_that_was_chosen_is_named_whichever_scores_highest(project: Path) -> None:
    folder = project / ".cesello" / "procedures" / "never"
    folder.mkdir()
    (folder / "SKILL.md").write_text(SKILL.format(name="never", description="Runs all checks green."))
    text = "schema_version: 1\ntriggers: {min_score: 50, examples: [please run all the checks now]}\n"
    (folder / "sop.yaml").write_text(text)
    done = cesello(project, "sop", "search", "please run all the checks now", "--json")
    found = json.loads(done.stdout)
    out = cesello(project, "sop", "search", "please run all the checks now").stdout
    assert out.startswith(f"{found['procedure']} applies" if found["procedure"] else "nothing applies")


@pytest.mark.parametrize("inner", ["", ".versions", ".learnt", "matching.json"])
def test_no_link_leads_out_of_the_project(
    project: Path, tmp_path_factory: pytest.TempPathFactory, inner: str
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "x.old").mkdir()
    place = project / ".cesello" / "procedures" / inner
    if not inner:
        place.rename(outside / "procedures")
    (project / ".cesello" / "procedures" / inner).symlink_to(outside / ("procedures" if not inner else ""))
    before = sorted(outside.rglob("*"))
    done = cesello(project, "sop", "search", "run the checks")
    assert "error[D046]" in done.stderr, done.stdout
    assert sorted(outside.rglob("*")) == before


def test_a_pipe_in_place_of_a_file_is_waited_for_by_nobody(project: Path) -> None:
    os.mkfifo(project / ".cesello" / "procedures" / "matching.json")
    assert "error[D046]" in cesello(project, "sop", "search", "run the checks").stderr


def test_a_draft_is_met_by_requests_only_once_it_is_tried(project: Path) -> None:
    cesello(project, "sop", "list")
    with (project / ".cesello" / "procedures" / "run-checks" / "SKILL.md").open("a") as file:
        file.write("Edited.\n")
    (draft,) = json.loads(cesello(project, "sop", "list", "--json").stdout)
    requests = [f"please run all the checks, number {number}" for number in range(60)]
    met = next(
        one
        for one in requests
        if share_of(one, "run-checks/hold-out") >= HOLD_OUT
        and share_of(one, f"run-checks/{draft['sha']}") < TRIAL
    )
    for trial in (False, True):
        if trial:
            done = cesello(project, "sop", "promote", "run-checks", "--trial")
            assert "is tried on half of the requests" in done.stdout, done.stderr
        cesello(project, "sop", "run", "auto", "--request", met, said="all fine\n.\n0\n")
        assert (logged(project)[0]["sha"] == draft["sha"]) is trial
