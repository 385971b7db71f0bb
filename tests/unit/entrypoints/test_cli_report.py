from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cesello.entrypoints.cli.main import cli, run
from tests.recorded_runs import changed, completion, grounding, reinforced, searched, tuned, write


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name, one in {"sft": tuned(), "grpo": reinforced(), "apo": searched()}.items():
        write(changed(one, id=name, name=name), tmp_path / name)
    return tmp_path


def report(runs: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["report", "--runs", str(runs), *arguments], catch_exceptions=False)


def test_a_run_is_told_in_the_terminal(runs: Path) -> None:
    told = report(runs, "sft")
    assert told.exit_code == 0
    for part in (
        "On 100 held-out rows of chat the score went from 0.200 to 0.800",
        "chat: score     0.200  0.800      +0.600",
        "Loss: held out: chat",
        "✓ 13 checks found nothing: the run is whole",
    ):
        assert part in told.stdout


@pytest.mark.parametrize("name", ["sft", "grpo", "apo"])
def test_a_page_is_written_whole_for_its_owner_alone(runs: Path, tmp_path: Path, name: str) -> None:
    page = tmp_path / "made" / "out.html"
    told = report(runs, name, "--html", str(page))
    assert told.stdout == f"{page}: open it in a browser\n"
    assert page.read_text().rstrip().endswith("</html>")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert [path.name for path in page.parent.iterdir()] == ["out.html"]


def test_json_is_for_programs(runs: Path) -> None:
    told = json.loads(report(runs, "grpo", "--json").stdout)
    assert told["status"] == "completed"
    assert len(told["groups"]) == 24


def test_what_was_found_comes_with_what_to_do(runs: Path) -> None:
    write(replace(changed(tuned(), id="bad", error="no \x1b[31mroom", status="failed")), runs / "bad")
    told = report(runs, "bad").stdout
    assert "✗ The run did not end by itself: failed (no room)." in told
    assert "  do:    `cesello train RECIPE --resume --run RUN` goes on from the newest checkpoint." in told
    assert "\x1b" not in told


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (["sft", "--html", "recipe.yaml"], 2, "C052"),
        (["none"], 3, "D030"),
        (["sft", "--html", "sft/manifest.json/a.html"], 74, "I010"),
    ],
)
def test_what_cannot_be_done_is_said(
    runs: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    code: str,
) -> None:
    monkeypatch.chdir(runs)
    assert run(["report", "--runs", ".", *arguments]) == status
    assert f"error[{code}]" in capsys.readouterr().err


def test_files_of_another_kind_are_said_to_be_so(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = {"graded": {"chat": {"score": 0.5, "rows": -9}}}
    write(changed(tuned(), id="odd", before=odd), runs / "odd")
    assert run(["report", "--runs", str(runs), "odd"]) == 74
    assert "error[I096] the run's files hold what cesello never writes there" in capsys.readouterr().err


def test_what_prompts_were_given_is_told_in_the_terminal(runs: Path) -> None:
    its = grounding(("src/a.py", 0.5, "return 12"))
    held = {"memory": None, "memory_left_out": "held out"}
    procedure = {"name": "de\x1b[31mbug", "mode": "full", "sha": "ab", "request": "r"}
    lines = [
        completion(step, 0, 0, "12", reward=step / 20, procedure=procedure, **(its if step % 2 else held))
        for step in range(1, 13)
    ]
    write(replace(changed(reinforced(), id="given"), logs={"completions": lines}), runs / "given")
    told = report(runs, "given").stdout
    assert "memory  in the prompt        6        0.300" in told
    assert "memory  held out             6        0.350" in told
    assert "memory: -0.050 against prompts held out from it (95 %: " in told
    assert "6 of 6 answers overlap with their passages\n" in told
    assert "\x1b" not in told
