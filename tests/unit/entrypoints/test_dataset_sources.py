"""From the sources of a recipe to the sources that are read: every kind is built, and none is read for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cesello.domain.ports.data import DatasetSource
from cesello.domain.row_slice import RowSlice
from cesello.domain.source import Replay
from cesello.entrypoints.requests import data_request, recipe_container
from cesello.entrypoints.settings import LoadedRecipe, load_recipe

RECIPE = """\
model: {name: org/model}
training: {max_steps: 1}
data:
  sources:
    - {name: hub, kind: hub, repo: org/data, split: test}
    - {name: file, kind: file, path: rows.jsonl, slice: "[-10%:]", where: {language: [it, en], n: 3}}
    - {name: package, kind: package, package: some-data, files: [rows.json]}
    - {name: stdlib, kind: stdlib, modules: [textwrap]}
    - {name: installed, kind: stdlib, package: pluggy}
    - {name: folder, kind: stdlib, folder: code}
    - {name: reasoning, kind: reasoning_gym, tasks: [ada, {name: ada, n: 2}], size: 3, seed: 4}
    - {name: python, kind: python, function: "mine:rows", arguments: {count: 1}}
    - {name: offered, kind: python, entry_point: some}
    - {name: replay, kind: replay, path: rows.jsonl, shape: prompt, max_new_tokens: 9, temperature: 0.5}
"""

ORIGINS = {
    "hub": "hub org/data@main test",
    "file": "file rows.jsonl",
    "package": "package some-data: rows.json",
    "folder": "folder code",
    "python": "python mine:rows",
    "offered": "python entry point some",
    "replay": "file rows.jsonl",
}


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedRecipe:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "rows.jsonl").write_text(json.dumps({"prompt": "1 + 2?"}))
    (tmp_path / "mine.py").write_text("raise SystemExit")
    return load_recipe(tmp_path / "recipe.yaml")


@pytest.fixture
def sources(loaded: LoadedRecipe) -> dict[str, DatasetSource]:
    built: dict[str, DatasetSource] = recipe_container(loaded).sources()
    return built


def test_every_kind_is_built(loaded: LoadedRecipe, sources: dict[str, DatasetSource]) -> None:
    assert [source.name for source in sources.values()] == [one.name for one in loaded.recipe.data.sources]
    assert {name: sources[name].origin for name in ORIGINS} == ORIGINS
    assert sources["stdlib"].origin.startswith("standard library of Python 3")
    assert sources["installed"].origin.startswith("package pluggy ")
    assert sources["reasoning"].origin.endswith(": ada, ada")


def test_files_are_looked_up_under_the_root(sources: dict[str, DatasetSource]) -> None:
    for name in ("file", "replay"):
        assert [row.values for row in sources[name].rows()] == [{"prompt": "1 + 2?"}]


def test_what_is_done_with_rows_reaches_the_use_cases(loaded: LoadedRecipe) -> None:
    specs = {spec.name: spec for spec in data_request(loaded).sources}
    assert specs["file"].slice == RowSlice.parse("[-10%:]")
    assert specs["file"].where == {"language": ["it", "en"], "n": 3}
    assert (specs["hub"].slice, specs["hub"].where, specs["hub"].replay) == (None, {}, None)
    assert specs["replay"].replay == Replay(max_new_tokens=9, temperature=0.5)


def test_a_kept_recipe_loads_as_the_same(loaded: LoadedRecipe, tmp_path: Path) -> None:
    (tmp_path / "kept.yaml").write_text(loaded.as_yaml())
    assert load_recipe(tmp_path / "kept.yaml").recipe.data == loaded.recipe.data
