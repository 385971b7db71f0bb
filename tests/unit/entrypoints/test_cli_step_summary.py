"""What is told of a run whose completions were rewarded, from files written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cesello.entrypoints.cli.main import run
from cesello.entrypoints.cli.step_summary import say_rewards


def write(folder: Path, log: str, *lines: dict[str, Any]) -> None:
    (folder / f"{log}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def step(number: int, **figures: Any) -> dict[str, Any]:
    usual = {"reward": number / 10, "reward_deviation": 0.1, "dead_groups": 0.5, "cut_off": 0.0}
    return {"step": number, "loss": 0.0, **usual, "completion_tokens": 10.0, **figures}


def shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    say_rewards(folder)
    lines = [line.rsplit(maxsplit=2) for line in capsys.readouterr().out.splitlines() if line]
    return {title: figures for title, *figures in lines}


def test_the_first_steps_are_compared_with_the_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "metrics", *(step(number, entropy=2.0) for number in range(1, 21)))
    assert shown(tmp_path, capsys) == {
        "steps, 5 averaged": ["first", "last"],
        "reward": ["0.300", "1.800"],
        "dead groups": ["50%", "50%"],
        "cut off": ["0%", "0%"],
        "tokens of a completion": ["10.0", "10.0"],
        "entropy of a token": ["2.000", "2.000"],
    }


def test_few_steps_are_halved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "metrics", *(step(number) for number in range(1, 6)))
    assert shown(tmp_path, capsys)["reward"] == ["0.150", "0.450"]
    write(tmp_path, "metrics", step(1))
    assert shown(tmp_path, capsys)["reward"] == ["0.100", "0.100"]


def test_parts_are_named_where_there_are_several(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "metrics", *(step(n, **{"reward/exact_call": 0.5}) for n in (1, 2)))
    assert not any(title.startswith("reward:") for title in shown(tmp_path, capsys))
    parts = {"reward/exact_call": 0.5, "reward/valid_json": 1.0}
    write(tmp_path, "metrics", step(1, **parts), step(2, **parts | {"reward/valid_json": None}))
    assert shown(tmp_path, capsys)["reward: exact call"] == ["0.500", "0.500"]
    assert shown(tmp_path, capsys)["reward: valid json"] == ["1.000", "-"]


def test_alarms_are_told_again_without_what_could_write_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "metrics", step(1), step(2))
    write(tmp_path, "alarms", {"step": 5, "name": "cut_off", "text": "\x1b[2Jtoo long"})
    say_rewards(tmp_path)
    assert capsys.readouterr().out.endswith("\n\nstep 5: too long\n")


@pytest.mark.parametrize("lines", ["", "{\n", '{"step": 1, "loss": 2.0}\n', "[]\n7\n"])
def test_other_runs_say_nothing(lines: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    say_rewards(tmp_path)
    (tmp_path / "metrics.jsonl").write_text(lines)
    say_rewards(tmp_path)
    assert capsys.readouterr().out == ""


def test_grades_come_before_losses_and_the_best_is_by_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "r"
    folder.mkdir(parents=True)
    graded = {"reward": "blend", "rows": 4, "parts": {"exact_call": 1.0}, "score": 0.25}
    evaluation = {
        "losses": {"calls": {"rows": 4, "tokens": 9, "loss": 2.0}},
        "graded": {"calls": graded},
    }
    manifest = {
        "id": "r", "name": "r", "algorithm": "grpo", "status": "completed", "started": "2026-01-02T03:04:05",
        "finished": None, "seed": 0, "steps": 2, "planned_steps": 2, "seconds": 1.0, "best_step": 2,
        "before": evaluation, "after": evaluation,
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    write(folder, "metrics", step(1), step(2))
    assert run(["runs", "show", "r"]) == 0
    out = capsys.readouterr().out
    order = ["of step 2, the highest held-out score", "calls: exact call", "calls: loss", "reward    "]
    assert sorted(order, key=out.index) == order
