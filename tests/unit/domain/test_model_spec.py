from __future__ import annotations

import pytest

from cesello.domain.errors import ModelError
from cesello.domain.model_spec import TARGET_MODULES, LoraSpec, short_names, target_modules


def layers(architecture: str) -> list[str]:
    """Full names such as a model of two layers has."""
    names = TARGET_MODULES[architecture]
    return [f"model.layers.{index}.{name}" for index in range(2) for name in (*names.attention, *names.mlp)]


@pytest.mark.parametrize("architecture", TARGET_MODULES)
def test_the_presets_of_an_architecture_are_its_own_modules(architecture: str) -> None:
    names, linear = TARGET_MODULES[architecture], layers(architecture)
    assert target_modules(LoraSpec(target_modules="attention"), architecture, linear) == names.attention
    assert target_modules(LoraSpec(target_modules="mlp"), architecture, linear) == names.mlp
    chosen = target_modules(LoraSpec(target_modules="all-linear"), architecture, linear)
    assert all(any(name.endswith(one) for one in chosen) for name in linear)


def test_names_are_matched_at_the_end_and_at_a_dot() -> None:
    linear = ["model.layers.0.self_attn.q_proj", "lm.out"]
    for name in ("q_proj", "self_attn.q_proj", "model.layers.0.self_attn.q_proj"):
        assert target_modules(LoraSpec(target_modules=(name,)), "llama", linear) == (name,)
    with pytest.raises(ModelError):
        target_modules(LoraSpec(target_modules=("proj",)), "llama", linear)


def test_a_wrong_name_is_told_with_the_real_ones() -> None:
    with pytest.raises(ModelError) as caught:
        target_modules(LoraSpec(target_modules=("q_proj", "query")), "llama", layers("llama"))
    error = caught.value
    assert (error.code, error.exit_status, error.where) == ("M010", 4, "lora.target_modules")
    assert '"query"' in error.what
    assert error.expected == "one of: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"
    assert error.fix


def test_a_preset_that_the_model_does_not_have_is_told_too() -> None:
    with pytest.raises(ModelError, match=r"M010.*query_key_value"):
        target_modules(LoraSpec(), "gpt_neox", ["a.q_proj"])


def test_an_unknown_architecture_has_no_preset_but_takes_names() -> None:
    with pytest.raises(ModelError, match=r"M011.*rwkv.*all-linear or names among: key, value"):
        target_modules(LoraSpec(), "rwkv", ["a.key", "a.value"])
    assert target_modules(LoraSpec(target_modules=("key",)), "rwkv", ["a.key"]) == ("key",)
    assert target_modules(LoraSpec(target_modules="all-linear"), "rwkv", ["a.key", "b.key"]) == ("key",)


def test_short_names_come_once_in_order() -> None:
    assert short_names(["a.x", "a.y", "b.x", "z"]) == ("x", "y", "z")
