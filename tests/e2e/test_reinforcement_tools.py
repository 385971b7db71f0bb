"""The tools of docs/reinforcement.md: its files are laid out as it shows them, and its recipe trains."""

from __future__ import annotations

import json
from pathlib import Path

from cesello.domain.errors import UsageError
from tests.e2e.command import cesello_here
from tests.e2e.markdown import blocks
from tests.repository import ROOT
from tests.tiny_model import make_tiny_model

FILES = {
    name: "\n".join(block.lines) + "\n"
    for block in blocks(ROOT / "docs" / "reinforcement.md")
    for name in ("my_tools.py", "my_rewards.py", "tools.yaml")
    if block.lines[0] == f"# {name}"
}
SHORT = """
model: {name: ./tiny, dtype: float32}
lora: {target_modules: all-linear}
training: {max_steps: 1, batch_size: 2}
evaluation: {rows: 1, max_new_tokens: 4}
"""


def lay_out(folder: Path) -> None:
    make_tiny_model(folder / "tiny")
    for name, text in FILES.items():
        (folder / name).write_text(text + SHORT * name.endswith(".yaml"))
    asked = {3 * n: {"role": "user", "content": f"What are {n} pears?"} for n in range(80)}
    rows = [{"messages": [question], "answer": answer} for answer, question in asked.items()]
    (folder / "fruit.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_the_recipe_of_the_page_trains(tmp_path: Path) -> None:
    lay_out(tmp_path)
    done = cesello_here(
        "train", "tools.yaml", "--run", "fruit", "--set", "grpo.max_completion_tokens=8", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    [figures] = map(json.loads, (tmp_path / "runs/fruit/metrics.jsonl").read_text().splitlines())
    assert (figures["tool_calls"], figures["tool_errors"]) == (0.0, 0.0)
    kept = [json.loads(line) for line in (tmp_path / "runs/fruit/completions.jsonl").read_text().splitlines()]
    assert {(one["turns"], json.dumps(one["tools"])) for one in kept} == {(1, "{}")}
    identity = json.loads((tmp_path / "runs/fruit/manifest.json").read_text())["identity"]
    assert "own code my_tools:price" in identity


def test_a_tool_that_is_not_there_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    lay_out(tmp_path)
    done = cesello_here("train", "tools.yaml", "--set", "grpo.tools=['my_tools:prices']", cwd=tmp_path)
    assert done.returncode == UsageError.exit_status
    assert 'error[C075] own tool: "my_tools" has no function "prices" at tool "prices"' in done.stderr
    assert not (tmp_path / "runs").exists()
