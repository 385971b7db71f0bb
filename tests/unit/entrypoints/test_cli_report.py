from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cesello.entrypoints.cli.main import cli, run
from tests.recorded_runs import (
    changed,
    completion,
    evaluation,
    grounding,
    reinforced,
    sample,
    searched,
    tuned,
    write,
)


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


def test_chance_is_told_of_the_answers_that_overlap_is_told_of(runs: Path) -> None:
    """The third prompt had the passages of both others: nothing is there to hold its answer against."""
    both = [("a.py", 0.5, "return 12"), ("b.py", 0.5, "twenty")]
    lines = [
        completion(step, 0, 0, "12", **grounding(*its))
        for step, its in enumerate((both[:1], both[1:], both), 1)
    ]
    write(replace(changed(reinforced(), id="some"), logs={"completions": lines}), runs / "some")
    said = "; of 2 of them 1 do, and with another prompt's passages 1 would\n"
    assert f"2 of 3 answers overlap with their passages{said}" in report(runs, "some").stdout
    report(runs, "some", "--html", str(runs / "some.html"))
    assert "Of 2 that can be held against another prompt's passages 1 (" in (runs / "some.html").read_text()


def test_what_few_rows_seem_to_show_is_not_called_clear(runs: Path) -> None:
    """Student's interval is above 0; three rows that all went up are chance in one of eight."""
    old, new = (0.0, 0.0, 0.25), (0.5, 0.5, 0.5)
    ends = {
        when: evaluation(sum(its) / 3, None, 3, parts={}) for when, its in (("before", old), ("after", new))
    }
    kept = {
        when: [sample(f"q{n}", "") | {"score": score, "parts": {}} for n, score in enumerate(its)]
        for when, its in (("before", old), ("after", new))
    }
    write(replace(changed(tuned(), id="few", **ends), samples=kept), runs / "few")
    told = report(runs, "few").stdout
    assert "paired, one-sided p 0.12" in told
    assert "which may be chance" in told
    assert "clearly" not in told
    report(runs, "few", "--html", str(runs / "few.html"))
    page = (runs / "few.html").read_text()
    assert "paired, one-sided p 0.12" in page
    assert '<td class="n up">' not in page
