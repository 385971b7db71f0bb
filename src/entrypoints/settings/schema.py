"""The JSON schema of a recipe, which gives editors completion, hints and red underlines."""

from __future__ import annotations

import json
from typing import Any

from .recipe import Recipe

SCHEMA_NAME = "recipe.schema.json"


def recipe_schema() -> dict[str, Any]:
    """The schema, in JSON Schema's draft 2020-12."""
    schema = Recipe.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "cesello recipe"}


def schema_text() -> str:
    """The schema as it is written to a file."""
    return json.dumps(recipe_schema(), indent=2, ensure_ascii=False) + "\n"
