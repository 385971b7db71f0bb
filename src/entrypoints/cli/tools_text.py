"""What a model in training is told of the tools that it may call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..settings.recipe import Recipe


def tools_text(recipe: Recipe) -> str:
    """Every tool of a recipe; empty where it has none. No code of a person's own is loaded for it."""
    if recipe.algorithm != "grpo" or not recipe.grpo.tools:
        return ""
    return "Tools on offer, where a row brings none\n\n" + "".join(f"  {line}\n" for line in _lines(recipe))


def _lines(recipe: Recipe) -> Iterator[str]:
    from ...application.search_memory import SEARCH as SPEC
    from ..settings.grpo_settings import SEARCH

    for name in recipe.grpo.tools:
        if name != SEARCH:
            yield f"{name.partition(':')[2]}: a function of {name.partition(':')[0]}, told by its docstring"
            continue
        takes = ", ".join(f"{key}: {its['type']}" for key, its in SPEC.parameters["properties"].items())
        yield f"{SPEC.name}({takes}): {SPEC.description}"
        memory = recipe.memory
        yield f"  of {memory.folder}: {memory.keep} passages, {memory.context_tokens} tokens at most"
