"""Whether the LoRA weights that a recipe goes on from are there, before anything is loaded for it."""

from __future__ import annotations

from pathlib import Path

from ..domain.errors import ModelError
from .requests import lora_spec
from .settings import LoadedRecipe

_SHIPPED = Path(__file__).with_name("recipes")


def missing_start(loaded: LoadedRecipe) -> ModelError | None:
    """The error where they are not, with what makes them; None where there is nothing to say."""
    start = lora_spec(loaded).continue_from
    if start is None or (Path(start) / "adapter_config.json").exists():
        return None
    name = Path(start).name
    recipe = f"recipes/{name}.yaml" if (_SHIPPED / f"{name}.yaml").exists() else "RECIPE"
    return ModelError(
        "M002",
        "the LoRA weights that this goes on from are not there",
        where="lora.continue_from",
        got=start,
        fix=f"train them first with `cesello train {recipe} --run {name}`, or name another run",
    )
