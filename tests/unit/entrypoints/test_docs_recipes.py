"""The recipes that the documents show are recipes."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from cesello.entrypoints.requests import data_request
from cesello.entrypoints.settings import load_recipe
from cesello.entrypoints.settings.data_settings import Source
from tests.e2e.markdown import Block, blocks
from tests.repository import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RECIPES = [
    block
    for page in PAGES
    for block in blocks(page)
    if block.language == "yaml" and not block.lines[0].endswith(".cases.yaml")
]
REST = (
    "model: {name: org/model}",
    "data: {sources: [{name: problems, kind: stdlib}]}",
    "training: {max_steps: 1}",
)
"""What a page leaves out where it shows a part of a recipe."""


def whole(block: Block) -> str:
    """The recipe that a block shows, or shows a part of."""
    keys = {line.partition(":")[0] for line in block.lines}
    return "\n".join([*block.lines, *(line for line in REST if line.partition(":")[0] not in keys)])


@pytest.mark.parametrize("block", RECIPES, ids=lambda block: f"{block.page.name}:{block.line}")
def test_a_recipe_of_a_page_is_valid(block: Block, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(whole(block))
    assert data_request(load_recipe(tmp_path / "recipe.yaml")).sources


def test_every_kind_of_source_is_shown() -> None:
    text = (ROOT / "docs" / "data.md").read_text()
    kinds = [get_args(model.model_fields["kind"].annotation)[0] for model in get_args(Source)]
    assert len(kinds) == 7
    assert all(f"kind: {kind}," in text for kind in kinds)
