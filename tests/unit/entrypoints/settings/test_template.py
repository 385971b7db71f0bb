"""The commented recipe made from the models."""

from __future__ import annotations

from pathlib import Path

import pytest

from cesello.entrypoints.settings import load_recipe
from cesello.entrypoints.settings.recipe import Recipe
from cesello.entrypoints.settings.reward_settings import BUILT_IN
from cesello.entrypoints.settings.template import minimal_recipe

LEAST = """\
model: {name: HuggingFaceTB/SmolLM2-135M-Instruct}
data: {sources: [{name: code, kind: stdlib}]}
training: {max_steps: 100}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(minimal_recipe())
    return path


def test_it_says_no_more_than_the_defaults(recipe: Path, tmp_path: Path) -> None:
    least = tmp_path / "least.yaml"
    least.write_text(LEAST)
    assert load_recipe(recipe).recipe == load_recipe(least).recipe


def test_it_shows_every_key_below_a_comment(recipe: Path) -> None:
    lines = recipe.read_text().splitlines()
    keys = set(Recipe.model_json_schema()["properties"])
    for section in ("ModelSettings", "LoraSettings", "TrainingSettings", "MixtureSettings", "StdlibSource"):
        keys |= set(Recipe.model_json_schema()["$defs"][section]["properties"])
    for key in keys:
        line = next(index for index, text in enumerate(lines) if text.strip(" -").startswith(f"{key}:"))
        assert lines[line - 1].strip().startswith("#")


def test_it_tells_of_every_kind_of_source(recipe: Path) -> None:
    text = recipe.read_text()
    for kind in ("hub", "file", "package", "stdlib", "reasoning_gym", "python", "replay"):
        assert f"# - {kind}: " in text


def test_it_tells_of_every_kind_of_reward_and_of_the_keys_it_has(recipe: Path) -> None:
    text = recipe.read_text()
    for kind in BUILT_IN | {"format": None, "judge": None, "function": None}:
        assert f"# - {kind}: " in text
    comments = " ".join(line.strip("# ") for line in text.splitlines())
    assert "Keys: wall_seconds, cpu_seconds, memory_mb, partial." in comments
