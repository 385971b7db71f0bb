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
    if start is None or not _reads_weights(loaded) or (Path(start) / "adapter_config.json").exists():
        return None
    return ModelError(
        "M002",
        "the LoRA weights that this goes on from are not there",
        where="lora.continue_from",
        got=start,
        fix=f"{_what_makes_them(loaded, Path(start))}, or name another run",
    )


def _reads_weights(loaded: LoadedRecipe) -> bool:
    """A search that asks servers alone does not."""
    apo = loaded.recipe.apo
    asked = [apo.generator, *([apo.optimizer] if apo.optimizer else [])]
    return loaded.recipe.algorithm != "apo" or any(one.kind == "policy" for one in asked)


def _what_makes_them(loaded: LoadedRecipe, start: Path) -> str:
    folder = start.parent if start.name == "lora" else start
    name = folder.name
    shipped = loaded.recipe.lora.continue_from in (f"runs/{name}", f"runs/{name}/lora")
    recipe = f"recipes/{name}.yaml" if shipped and (_SHIPPED / f"{name}.yaml").exists() else "RECIPE"
    if folder.is_dir():
        return f"go on with its training with `cesello train {recipe} --run {name} --resume`"
    return f"train them first with `cesello train {recipe} --run {name}`"
