"""The tutorial of docs/training.md, followed: its class trains a model, and counts what it says it counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.command import cesello_here
from tests.e2e.markdown import blocks
from tests.repository import ROOT
from tests.tiny_model import make_tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = """
name: tutorial
model: {name: ./tiny, dtype: float32}
lora: {dropout: 0.0}
data:
  sources:
    - {name: chat, kind: file, path: rows.jsonl, holdout: 2}
training: {max_steps: 3}
evaluation: {samples: 0}
loggers: []
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    [page] = [
        block
        for block in blocks(ROOT / "docs" / "training.md")
        if block.language == "python" and "class HardRows" in "\n".join(block.lines)
    ]
    (tmp_path / "hard_tokens.py").write_text("\n".join(page.lines))
    make_tiny_model(tmp_path / "tiny")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    turns = [
        [{"role": "user", "content": f"what is {n}?"}, {"role": "assistant", "content": f"it is {7 * n}"}]
        for n in range(20)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"messages": turn}) + "\n" for turn in turns))
    return tmp_path


def losses(folder: Path, run: str, *settings: str) -> list[float]:
    done = cesello_here("train", "recipe.yaml", "--run", run, *settings, cwd=folder)
    assert done.returncode == 0, done.stderr
    lines = (folder / "runs" / run / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_the_algorithm_of_the_tutorial_trains(folder: Path) -> None:
    own = ("--set", "algorithm=hard_tokens:HardRows", "--set")
    plain = losses(folder, "plain")
    harder = losses(folder, "harder", *own, "algorithm_arguments={gamma: 0.5}")
    same = losses(folder, "same", *own, "algorithm_arguments={gamma: 0.0}")
    assert same == pytest.approx(plain, rel=1e-6)
    assert harder[0] == pytest.approx(plain[0] ** 1.5, rel=1e-5)
    manifest = json.loads((folder / "runs" / "harder" / "manifest.json").read_text())
    assert manifest["algorithm"] == "hard_tokens:HardRows"
