"""A misspelt key is answered before any library of machine learning is in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from cesello.domain.errors import InvalidRecipe
from cesello.entrypoints.settings import load_recipe
try:
    load_recipe(Path(sys.argv[1]))
except InvalidRecipe as error:
    print(error.code)
heavy = {"torch", "transformers", "datasets", "numpy", "peft", "lightning", "chromadb", "huggingface_hub"}
print(sorted(heavy & set(sys.modules)))
"""


def test_loading_a_recipe_loads_no_heavy_library(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("modl: {name: org/model}\n")
    command = [sys.executable, "-c", PROGRAM, str(recipe)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == ["C001", "[]"]


def test_the_commands_can_be_listed_without_pydantic_and_yaml() -> None:
    program = (
        "import sys, cesello.entrypoints.cli.init, cesello.entrypoints.cli.schema; "
        "print(sorted({'pydantic', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
