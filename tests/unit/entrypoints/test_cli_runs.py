"""``cesello runs`` on run folders written by hand, as another program might."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from cesello.entrypoints.cli.main import run
from tests.run_folders import (
    evaluation,
    manifest,
    metrics_line,
    write_log,
    write_manifest,
    write_run,
    write_search,
)

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
    assert heading.split() == ["run", "status", "steps", "curve", "last", "of", "model", "started"]
    assert newest.split()[:3] == ["20260203-000000-later", "interrupted", "4/30"]
    nothing = ["-", "-", "-"]
    assert oldest.split() == [MANIFEST["id"], "completed", "30/30", *nothing, "org/tiny", MANIFEST["started"]]


def test_a_run_of_an_unknown_model_has_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    write(model=None)
    assert output(capsys, "list").splitlines()[1].split()[6] == "-"


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


def test_the_list_shows_the_curve_that_matters(capsys: pytest.CaptureFixture[str]) -> None:
    write_run(Path("runs"), "a")
    write_run(Path("runs"), "b", rewarded=True, started="2026-02-02T03:04:05+00:00")
    _, newest, oldest = output(capsys, "list").splitlines()
    assert newest.split()[:6] == ["b", "completed", "12/12", "▁▂▂▃▄▄▅▅▆▇▇█", "0.600", "reward"]
    assert oldest.split()[:6] == ["a", "completed", "12/12", "█▄▃▂▂▂▁▁▁▁▁▁", "0.167", "loss"]
    assert "\x1b" not in newest


def test_runs_of_the_list_are_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    for id_, status in (("1-small", "completed"), ("2-large", "failed"), ("3-small", "failed")):
        write(id_, name=id_[2:], status=status, started=id_)

    def ids(*options: str) -> list[str]:
        listed = [run["id"] for run in json.loads(output(capsys, "list", "--json", *options))]
        assert [line.split()[0] for line in output(capsys, "list", *options).splitlines()[1:]] == listed
        return listed

    assert ids("--limit", "2") == ["3-small", "2-large"]
    assert ids("--status", "failed") == ["3-small", "2-large"]
    assert ids("--status", "failed", "--status", "completed", "--name", "sm*") == ["3-small", "1-small"]
    assert output(capsys, "list", "--name", "none") == "No run is like that.\n"
    assert run(["runs", "list", "--status", "other"]) == 2


def test_a_running_run_is_as_far_as_its_last_step(capsys: pytest.CaptureFixture[str]) -> None:
    path = write_run(Path("runs"), steps=3)
    write_manifest(path, status="running", steps=0)
    with FileLock(path / ".lock"):
        assert output(capsys, "list").splitlines()[1].split()[:3] == ["demo", "running", "3/12"]


def test_curves_phases_and_alarms_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    path = write_run(Path("runs"), rewarded=True)
    write_log(path, "alarms", [{"step": 9, "name": "kl", "text": "the policy has moved away"}])
    shown = [" ".join(line.split()) for line in output(capsys, "show", "demo").splitlines()]
    assert "reward ▁▂▂▃▄▄▅▅▆▇▇█ 0.150 0.500 0.050 0.600" in shown
    assert "held-out score ▁█ 0.000 0.750 0.000 0.750" in shown
    assert "first and last: means of 5 steps" in shown
    assert "step 9: the policy has moved away" in shown
    assert "generate 15 s 25%" in " ".join(shown)
    times = {
        line.split()[0]: line.split()[-2] for line in shown if "█" in line and "%" in line and " s " in line
    }
    assert times == {"generate": "25%", "score": "5%", "update": "10%", "evaluating,": "60%"}
    assert not any(line.startswith("loss ") for line in shown)


def test_a_curve_of_values_that_are_written_the_same_is_flat(capsys: pytest.CaptureFixture[str]) -> None:
    write()
    lines = [metrics_line(step, loss=2 + step / 1e6, gradient_norm=step / 8) for step in range(1, 9)]
    write_log(Path("runs") / MANIFEST["id"], "metrics", lines)
    shown = " ".join(output(capsys, "show", "latest").split())
    assert "loss ▄▄▄▄▄▄▄▄ 2.000 2.000 2.000 2.000" in shown
    assert "gradient norm ▁▂▃▄▅▆▇█" in shown


def test_evaluations_on_the_way_have_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    path = write_run(Path("runs"))
    assert "evaluated at step" not in output(capsys, "show", "demo")
    lines = [{"step": n, "when": "step", **evaluation(2.0 - n / 20)} for n in range(1, 21)]
    write_log(path, "evaluations", lines)
    shown = [line.split() for line in output(capsys, "show", "demo").splitlines()]
    assert ["1", "on", "the", "way", "1.950", "0.000"] in shown
    assert ["…", "8", "more"] in shown
    assert ["20", "on", "the", "way", "1.000", "0.000"] in shown
    assert ["10", "on", "the", "way", "1.500", "0.000"] not in shown


def test_a_killed_run_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    write_run(Path("runs"), status="running")
    assert "failed (stopped without saying so: it was killed)" in output(capsys, "show", "demo")


def test_the_best_score_of_a_search_is_a_curve(capsys: pytest.CaptureFixture[str]) -> None:
    path = write_run(Path("runs"), algorithm="apo", search={"before": 0.5, "verdict": None})
    write_search(path, [(8, 0.25), (8, 0.5), (8, 0.375)])
    listed = output(capsys, "list").splitlines()[1].split()
    assert listed[3:7] == ["▁██", "0.500", "best", "score"]
    assert "best score" in output(capsys, "show", "demo")


def test_what_differs_is_compared(capsys: pytest.CaptureFixture[str]) -> None:
    write_run(Path("runs"), "one", after=evaluation(1.0, 2.0))
    changed = manifest("x")["identity"] | {"recipe training.max_steps": "24", "recipe lora.r": "8"}
    write_run(Path("runs"), "two", identity=changed, after=evaluation(0.5, 6.0))
    shown = [" ".join(line.split()) for line in output(capsys, "compare", "one", "two").splitlines()]
    assert "A one completed 12/12 24 s 1200 50 0.200" in shown
    assert "training.max_steps 12 24" in shown
    assert "lora.r - 8" in shown
    assert "No difference: the libraries have the same versions." in shown
    assert "loss A █▄▃▂▂▂▁▁▁▁▁▁ 0.913 0.204 0.167 2.000" in shown
    assert "chat: exact call A 8 0.000 0.250" in shown
    assert "B 8 0.000 0.750 +0.500 (+0.018 to +0.752) unpaired" in shown
    assert "B 8 2.000 0.500 -0.500" in shown
    found = json.loads(output(capsys, "compare", "one", "two", "--json"))
    assert [one["key"] for one in found["recipe"]] == ["training.max_steps", "lora.r"]
    assert found["runs"][1]["id"] == "two"


def test_gains_are_paired_by_the_scores_of_all_rows(capsys: pytest.CaptureFixture[str]) -> None:
    for name, right in (("one", 2), ("two", 6)):
        path = write_run(Path("runs"), name, after=evaluation(1.0, right))
        row = {"when": "after", "source": "chat"}
        scores = [float(n < right) for n in range(8)]
        lines = [row | {"prompt": str(n), "score": one, "parts": {"exact_call": one}}
                 for n, one in enumerate(scores)]  # fmt: skip
        write_log(path, "scores", lines)
    shown = output(capsys, "compare", "one", "two")
    assert " ".join(shown.split()).count("paired") == 2
    assert "npaired" not in shown


def test_a_reinforcement_is_compared_by_its_reward(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        write_run(Path("runs"), name, rewarded=True)
    write_run(Path("runs"), "tuned")
    head, first, *_ = (
        " ".join(line.split()) for line in output(capsys, "compare", "one", "two").splitlines()
    )
    assert (head.endswith("final reward"), first.endswith(" 0.500")) == (True, True)
    assert "final loss" not in head
    assert "loss or reward" in output(capsys, "compare", "one", "tuned").splitlines()[0]


def test_other_rows_are_not_compared(capsys: pytest.CaptureFixture[str]) -> None:
    write_run(Path("runs"), "one")
    write_run(Path("runs"), "two", identity=manifest("x")["identity"] | {"recipe seed": "8"})
    shown = output(capsys, "compare", "one", "two")
    assert "not comparable" in shown
    assert "B and A cannot be compared on chat: other held-out rows: seed differs" in shown
    assert "unpaired" not in shown


def test_curves_of_other_lengths_keep_their_steps_below_each_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_run(Path("runs"), "long")
    write_run(Path("runs"), "short", steps=6)
    lines = output(capsys, "compare", "long", "short").splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("loss"))
    assert "█▄▃▂▂▂▁▁▁▁▁▁" in lines[at]
    assert "█▄▃▂▂▂ " in lines[at + 1]


@pytest.mark.parametrize("names", [["one"], ["one"] * 27])
def test_two_runs_or_more_are_compared(names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    write_run(Path("runs"), "one")
    assert run(["runs", "compare", *names]) == 2
    assert "name two runs or more, 26 at most" in capsys.readouterr().err


def test_a_picture_of_now(capsys: pytest.CaptureFixture[str]) -> None:
    path = write_run(Path("runs"), steps=3)
    write_manifest(path, status="running", finished=None, after=None)
    with FileLock(path / ".lock"):
        shown = output(capsys, "tail", "--once")
    assert "training: step 3 of 12, about 18 s left" in shown
    assert "loss" in shown


def test_a_training_that_stands_still_is_said_to(capsys: pytest.CaptureFixture[str]) -> None:
    path = write_run(Path("runs"), steps=3)
    write_manifest(path, status="running", finished=None, after=None)
    for log in path.glob("*.jsonl"):
        os.utime(log, (1, 1))
    with FileLock(path / ".lock"):
        assert "nothing new for" in output(capsys, "tail", "demo", "--once")


def test_the_end_of_a_search_is_told_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    path = write_run(Path("runs"), algorithm="apo", steps=0, planned_steps=9)
    write_manifest(path, algorithm="apo", steps=9, planned_steps=9)
    (path / "evaluations.jsonl").unlink()
    write_search(path, [(8, 0.25), (8, 0.5)])
    assert output(capsys, "tail").splitlines()[:2] == [
        "demo: completed, rollout 9 of 9, 24 s",
        "rollout 9  best score 0.500",
    ]


@pytest.mark.parametrize(
    "wrong", [{"seconds": "x"}, {"data": [1]}, {"before": 3, "after": "x"}, {"planned_steps": None}]
)
def test_a_manifest_of_anybody_is_no_fault(wrong: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    write_run(Path("runs"), "one", **wrong)
    write_run(Path("runs"), "two")
    for arguments in (["list"], ["show", "one"], ["compare", "two", "one"], ["tail", "one", "--once"]):
        assert run(["runs", *arguments]) == 0, capsys.readouterr().err
