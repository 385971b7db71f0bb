"""The recipes and procedures that the documents show are well-formed."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from cesello.entrypoints.requests import data_request
from cesello.entrypoints.settings import load_recipe
from cesello.entrypoints.settings.data_settings import Source
from cesello.entrypoints.settings.procedure_file import ProcedureFiles
from tests.e2e.markdown import Block, blocks
from tests.repository import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = [block for page in PAGES for block in blocks(page) if block.language == "yaml"]
PROCEDURES = [block for block in SHOWN if block.lines[0].startswith("schema_version")]
RECIPES = [block for block in SHOWN if block not in PROCEDURES and not block.lines[0].endswith(".cases.yaml")]
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


@pytest.mark.parametrize("block", PROCEDURES, ids=lambda block: f"{block.page.name}:{block.line}")
def test_a_procedure_of_a_page_has_no_mistake(block: Block) -> None:
    files = {
        "SKILL.md": b"---\nname: shown\ndescription: What it does.\n---\nAs the steps say.\n",
        "sop.yaml": "\n".join(block.lines).encode(),
    }
    assert ProcedureFiles().read(files, "shown").steps


def test_every_kind_of_source_is_shown() -> None:
    text = (ROOT / "docs" / "data.md").read_text()
    kinds = [get_args(model.model_fields["kind"].annotation)[0] for model in get_args(Source)]
    assert len(kinds) == 7
    assert all(f"kind: {kind}," in text for kind in kinds)
