"""``cesello runs`` on run folders written by hand, as another program might."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cesello.entrypoints.cli.main import run

MANIFEST: dict[str, Any] = {
    "id": "20260102-030405-demo",
    "name": "demo",
    "algorithm": "sft",
    "status": "completed",
    "started": "2026-01-02T03:04:05+00:00",
    "finished": "2026-01-02T03:06:05+00:00",
    "recipe_sha256": "abc",
    "seed": 7,
    "steps": 30,
    "planned_steps": 30,
    "seconds": 119.6,
    "model": {"name": "org/tiny"},
    "data": {
        "digest": "d1gest",
        "sources": [
            {
                "name": "chat",
                "kept": 90,
                "planned": 0.75,
                "realised": 0.74,
                "drawn": 74,
                "drawn_tokens": 600,
                "passes": 0.82,
            },
            {
                "name": "calls",
                "kept": 20,
                "planned": 0.25,
                "realised": 0.26,
                "drawn": 26,
                "drawn_tokens": 400,
                "passes": 1.3,
            },
        ],
    },
    "before": {
        "losses": {"chat": {"rows": 2, "tokens": 10, "loss": 2.5}},
        "graded": {"calls": {"reward": "function_calling", "rows": 24, "parts": {"valid_json": 0.0}}},
    },
    "after": {
        "losses": {"chat": {"rows": 2, "tokens": 10, "loss": 1.25}},
        "graded": {"calls": {"reward": "function_calling", "rows": 24, "parts": {"valid_json": 22.0}}},
    },
    "error": None,
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(id_: str = MANIFEST["id"], folder: str = "runs", **changes: Any) -> Path:
    path = Path(folder) / id_
    path.mkdir(parents=True)
    (path / "manifest.json").write_text(json.dumps({**MANIFEST, "id": id_, **changes}))
    return path


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["runs", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_runs_are_listed_newest_first(capsys: pytest.CaptureFixture[str]) -> None:
    write()
    write("20260203-000000-later", name="later", status="interrupted", steps=4, model=None)
    heading, newest, oldest = output(capsys, "list").splitlines()
    assert heading.split() == ["run", "status", "steps", "model", "started"]
    assert newest.split()[:3] == ["20260203-000000-later", "interrupted", "4/30"]
    assert oldest.split() == [MANIFEST["id"], "completed", "30/30", "org/tiny", MANIFEST["started"]]


def test_a_run_of_an_unknown_model_has_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    write(model=None)
    assert output(capsys, "list").splitlines()[1].split()[3] == "-"


def test_no_runs_are_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "list") == (
        "No runs in runs yet: `cesello train recipes/quickstart.yaml` makes one.\n"
    )
    assert json.loads(output(capsys, "list", "--json")) == []
    assert list(Path().iterdir()) == []


def test_the_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    path = write(folder="elsewhere")
    [listed] = json.loads(output(capsys, "list", "--runs", "elsewhere", "--json"))
    assert listed == {
        "id": MANIFEST["id"],
        "name": "demo",
        "status": "completed",
        "started": MANIFEST["started"],
        "model": "org/tiny",
        "steps": 30,
        "planned_steps": 30,
        "path": str(path),
    }


def test_a_run_is_shown_with_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    path = write()
    shown = dict(line.split("  ", 1) for line in output(capsys, "show", "latest").splitlines() if line)
    plain = {key: " ".join(value.split()) for key, value in shown.items()}
    assert plain["run"] == MANIFEST["id"]
    assert plain["status"] == "completed"
    assert plain["steps"] == "30 of 30 in 120 s"
    assert plain["data digest"] == "d1gest"
    assert plain["folder"] == str(path)
    assert plain["chat"] == "90 74 75.0% 74.0% 600 60.0% 0.82"
    assert plain["calls"] == "20 26 25.0% 26.0% 400 40.0% 1.30"
    assert plain["chat: loss"] == "2.500 1.250"
    assert plain["chat: perplexity"] == "12.18 3.49"
    assert plain["calls: valid json (of 24)"] == "0 22"


@pytest.mark.parametrize("name", ["latest", "demo", MANIFEST["id"], f"runs/{MANIFEST['id']}"])
def test_a_run_is_found_by_id_name_and_folder(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    write()
    assert json.loads(output(capsys, "show", name, "--json")) == MANIFEST


def test_a_run_that_was_not_trained_yet_has_a_plan_and_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    data = {"digest": "d", "sources": [{"name": "chat", "kept": 9, "planned": 1.0, "drawn": None}]}
    write(status="failed", data=data, before=None, after=None)
    lines = [line.split() for line in output(capsys, "show", "demo").splitlines()]
    assert ["chat", "9", "-", "100.0%", "-", "-", "-", "-"] in lines


def test_a_failed_run_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    write(status="failed", error="error[T075] the disk is full", after=None, finished=None)
    shown = output(capsys, "show", "demo")
    assert "failed (error[T075] the disk is full)" in shown
    *_, figure, _, fix = shown.splitlines()
    assert figure.split()[-1] == "-"
    assert fix == "Go on with it:  cesello train RECIPE --resume --run 20260102-030405-demo"


@pytest.mark.parametrize(("status", "told"), [("interrupted", True), ("completed", False)])
def test_only_a_run_that_did_not_end_can_be_gone_on_with(
    status: str, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    write(status=status)
    assert ("Go on with it:" in output(capsys, "show", "demo")) is told


def test_what_happened_to_a_run_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    write()
    plain = output(capsys, "show", "demo")
    write(
        "20260103-030405-demo",
        resumes=[
            {"step": 10, "at": "2026-01-02T03:05:00+00:00", "differences": []},
            {
                "step": 20,
                "at": "2026-01-02T03:06:00+00:00",
                "differences": ["recipe seed: 1 -> 2", "data: x"],
            },
        ],
        skipped=2,
        splits=2,
        best_step=25,
        ended_by="early stopping",
    )
    shown = [" ".join(line.split()) for line in output(capsys, "show", "20260103-030405-demo").splitlines()]
    told = [
        "gone on with after step 10, 2026-01-02T03:05:00+00:00",
        "gone on with after step 20, 2026-01-02T03:06:00+00:00; not exactly: recipe seed: 1 -> 2, data: x",
        "left out 2 steps whose loss was not finite",
        "memory forward passes in 4 parts",
        "weights of step 25, the lowest held-out loss",
        "ended by early stopping",
    ]
    assert [line for line in shown if line in told] == told
    assert not any(line.split(" ")[0] in plain for line in ("gone on", "left out", "ended by"))


def test_a_killed_run_is_shown_as_failed_in_every_form(capsys: pytest.CaptureFixture[str]) -> None:
    write(status="running", finished=None)
    assert "failed" in output(capsys, "list")
    assert "failed" in output(capsys, "show", "demo")
    assert json.loads(output(capsys, "show", "demo", "--json"))["status"] == "failed"


def test_a_run_that_was_stopped_early_has_no_figures(capsys: pytest.CaptureFixture[str]) -> None:
    write(status="interrupted", before=None, after=None, data=None)
    shown = output(capsys, "show", "demo")
    assert "held-out rows" not in shown


def test_data_cannot_write_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    write(name="\x1b[31mred", model={"name": "\x1b]0;title\x07org/tiny"}, error="\x1b[2J", status="failed")
    for arguments in (["list"], ["show", "latest"], ["show", "latest", "--json"]):
        assert "\x1b" not in output(capsys, *arguments)


def test_an_unknown_run_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    write()
    assert run(["runs", "show", "other"]) == 3
    error = capsys.readouterr().err
    assert error.startswith('error[D030] there is no run "other" at runs · expected one of: ')
    assert MANIFEST["id"] in error


def test_scores_and_rows_without_one_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    graded = {"reward": "coding", "rows": 3, "parts": {"passes": 1.5}}
    before = graded | {"score": 0.0, "not_applicable": 1, "infra_errors": 0}
    after = graded | {"score": 0.25, "not_applicable": 1, "infra_errors": 2}
    write(
        before={"losses": {}, "graded": {"calls": before}}, after={"losses": {}, "graded": {"calls": after}}
    )
    words = [line.split() for line in output(capsys, "show", "demo").splitlines()]
    assert ["calls:", "passes", "(of", "3)", "1.5", "1.5"] in words
    assert ["calls:", "mean", "score", "0.000", "0.250"] in words
    assert ["calls:", "reward", "not", "applicable", "1", "1"] in words
    assert ["calls:", "could", "not", "be", "judged", "0", "2"] in words


def test_runs_of_before_there_were_scores_show_none(capsys: pytest.CaptureFixture[str]) -> None:
    write()
    shown = output(capsys, "show", "demo")
    assert "valid json (of 24)" in shown
    assert "score" not in shown
    assert "judged" not in shown
