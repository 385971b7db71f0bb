"""What a recipe's model and LoRA sections become for the use cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from cesello.entrypoints.requests import finetune_request, lora_spec, model_spec
from cesello.entrypoints.settings import LoadedRecipe, load_recipe

RECIPE = """\
model: {name: org/model, dtype: bfloat16, device_map: auto}
quantizer: {name: nf4, upcast: true}
data:
  sources:
    - {name: code, kind: stdlib}
training: {max_steps: 10}
"""


def loaded(folder: Path, *changes: str) -> LoadedRecipe:
    (folder / "recipe.yaml").write_text(RECIPE)
    return load_recipe(folder / "recipe.yaml", changes)


def test_what_decides_about_the_weights_is_the_models(tmp_path: Path) -> None:
    model = model_spec(loaded(tmp_path))
    assert (model.name, model.dtype, model.device_map, model.upcast) == (
        "org/model",
        "bfloat16",
        "auto",
        True,
    )
    assert (model.attention, model.device) == ("auto", "auto")


def test_a_request_names_its_quantizer(tmp_path: Path) -> None:
    request = finetune_request(loaded(tmp_path, "quantizer.name=int8"))
    assert request.quantizer == "int8"
    assert request.checks_memory


def test_the_sections_keys_reach_lora(tmp_path: Path) -> None:
    changes = ("lora.rslora=true", "lora.init=gaussian", "lora.modules_to_save=[norm]", "lora.dora=true")
    lora = lora_spec(loaded(tmp_path, *changes))
    assert (lora.rslora, lora.dora, lora.init, lora.modules_to_save) == (True, True, "gaussian", ("norm",))
    assert lora.continue_from is None


@pytest.mark.parametrize("inside", [True, False], ids=["run", "weights"])
def test_a_run_to_go_on_from_stands_for_its_weights(tmp_path: Path, inside: bool) -> None:
    weights = tmp_path / "runs" / "first" / "lora"
    weights.mkdir(parents=True)
    named = "runs/first" if inside else "runs/first/lora"
    recipe = loaded(tmp_path, f"lora.continue_from={named}")
    assert lora_spec(recipe).continue_from == str(weights.resolve())


def test_the_recipe_kept_with_a_run_that_goes_on_loads_again(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "kept.yaml").write_text(loaded(tmp_path, "lora.continue_from=weights").as_yaml())
    assert load_recipe(tmp_path / "kept.yaml").recipe.lora.continue_from == "weights"
