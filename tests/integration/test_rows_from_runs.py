"""What `data make --from runs` says of prompts that runs hold out: real files and the real command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cesello.domain.conversation import user
from cesello.domain.held_prompts import prompt_digest
from cesello.entrypoints.cli.main import run

DISTIL = ["data", "make", "--from", "runs", "--output", "rows.jsonl", "--min-reward", "1", "--overwrite"]


def written(name: str, *asked: str, held: list[str] | None = None) -> None:
    """A run with an answer to each question; with None for its held-out prompts it tells nothing of them."""
    folder = Path("runs") / name
    folder.mkdir(parents=True)
    manifest = {
        "id": name, "name": name, "status": "completed", "started": name, "steps": 1, "planned_steps": 1,
        "algorithm": "grpo", "finished": name, "seconds": 1.0, "seed": 0,
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with (folder / "completions.jsonl").open("w") as log:
        for at, question in enumerate(asked):
            turns = {"messages": [{"role": "user", "content": question}]}
            line = {
                "step": 1, "prompt": at, "question": question, "asked": turns, "completion": f"{at}",
                "turns": 1, "tokens": 1, "finished": True, "reward": 1.0,
            }  # fmt: skip
            log.write(json.dumps(line) + "\n")
    if held is not None:
        digests = [prompt_digest(user(one)) for one in held]
        (folder / "held-out.json").write_text(json.dumps(digests))


def test_what_is_held_out_elsewhere_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    written("one", "What is a?", "What is b?", held=[])
    assert run(DISTIL) == 0
    assert "holds out" not in capsys.readouterr().out
    written("two", held=["What is a?"])
    assert run([*DISTIL, "one"]) == 0
    told = capsys.readouterr()
    assert "held out in a run (1)" in told.out
    assert "runs with the same sources and seed hold out the same" in told.out
    assert "another folder (--runs)" in told.out
    assert "held-out.json" not in told.err
    assert len(Path("rows.jsonl").read_text().splitlines()) == 1


def test_of_runs_that_do_not_tell_it_says_which_are_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    written("one", "What is a?")
    written("old")
    only = "only the prompts of the samples were left out"
    assert run([*DISTIL, "one"]) == 0
    beside = "old (in the folder too, and no rows are made of them)"
    assert f"of one and of {beside} {only}" in capsys.readouterr().err
    assert run(DISTIL) == 0
    assert f"of old, one {only}" in capsys.readouterr().err
    assert run([*DISTIL, "one", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["untold"], told["others_untold"]) == (["one"], ["old"])
    Path("runs/one/held-out.json").write_text("[]")
    assert run([*DISTIL, "one"]) == 0
    assert f"of {beside} {only}" in capsys.readouterr().err
