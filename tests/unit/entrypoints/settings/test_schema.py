"""The JSON schema says what the models say, and the committed file is it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cesello.entrypoints.settings import load_recipe
from cesello.entrypoints.settings.schema import recipe_schema, schema_text
from cesello.entrypoints.settings.template import minimal_recipe
from cesello.entrypoints.settings.yaml_text import read_yaml

RECIPES = Path(str(files("cesello.entrypoints"))) / "recipes"
SHIPPED = sorted(RECIPES.glob("*.yaml"))


def sections() -> Iterator[tuple[str, dict[str, Any]]]:
    schema = recipe_schema()
    yield "Recipe", schema
    yield from schema["$defs"].items()


def plain(text: str) -> Any:
    return read_yaml(text, lambda mark: "").value


def test_the_committed_schema_is_up_to_date() -> None:
    committed = (RECIPES / "recipe.schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(), (
        "run: cesello schema --output src/entrypoints/recipes/recipe.schema.json"
    )


def test_it_is_a_schema_of_draft_2020_12() -> None:
    schema = recipe_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("name", "section"), list(sections()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_section_is_closed_and_every_key_described(name: str, section: dict[str, Any]) -> None:
    assert section["additionalProperties"] is False
    assert section["description"]
    missing = [
        key
        for key, value in section["properties"].items()
        if "description" not in value and "$ref" not in value
    ]
    assert missing == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_recipes_load_and_follow_the_schema_they_name(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=recipe.schema.json\n")
    assert load_recipe(path).recipe.name == path.stem
    Draft202012Validator(recipe_schema()).validate(plain(text))


def test_files_that_shipped_recipes_name_are_shipped() -> None:
    # Those of my-repository are made by the commands that it names.
    made_before = {"rows.jsonl", "rows-heldout.jsonl", "untaught.jsonl"}
    paths = [
        loaded.root / source.path
        for loaded in map(load_recipe, SHIPPED)
        for source in loaded.recipe.data.sources
        if source.kind == "file" and source.path not in made_before
    ]
    assert paths
    assert [path for path in paths if not path.is_file()] == []


def test_the_schema_refuses_what_the_models_refuse() -> None:
    recipe = plain(minimal_recipe())
    validator = Draft202012Validator(recipe_schema())
    validator.validate(recipe)
    recipe["training"]["learning_ratee"] = 1
    recipe["lora"]["r"] = 0
    recipe["data"]["sources"][0]["kind"] = "stdlbi"
    assert len(list(validator.iter_errors(recipe))) == 3
