from __future__ import annotations

import pytest

from cesello.domain.errors import ModelError
from cesello.domain.target_modules import TARGET_MODULES, Targets, short_names, targets

EXPERTS = ["model.layers.0.mlp.experts.gate_up_proj", "model.layers.0.mlp.experts.down_proj"]


def layers(architecture: str) -> list[str]:
    """Full names such as a model of two layers has."""
    names = TARGET_MODULES[architecture]
    return [f"model.layers.{index}.{name}" for index in range(2) for name in (*names.attention, *names.mlp)]


@pytest.mark.parametrize("architecture", TARGET_MODULES)
def test_the_presets_of_an_architecture_are_its_own_modules(architecture: str) -> None:
    names, linear = TARGET_MODULES[architecture], layers(architecture)
    assert targets("attention", architecture, linear) == Targets(names.attention)
    assert targets("mlp", architecture, linear, EXPERTS) == Targets(names.mlp, names.experts)
    chosen = targets("all-linear", architecture, linear, EXPERTS)
    assert all(any(name.endswith(one) for one in chosen.modules) for name in linear)
    assert not chosen.parameters


def test_names_are_matched_at_the_end_and_at_a_dot() -> None:
    linear = ["model.layers.0.self_attn.q_proj", "lm.out"]
    for name in ("q_proj", "self_attn.q_proj", "model.layers.0.self_attn.q_proj"):
        assert targets((name,), "llama", linear) == Targets((name,))
    with pytest.raises(ModelError):
        targets(("proj",), "llama", linear)


def test_experts_are_named_beside_layers() -> None:
    chosen = targets(("q_proj", "mlp.experts.down_proj"), "mixtral", ["model.layers.0.q_proj"], EXPERTS)
    assert chosen == Targets(("q_proj",), ("mlp.experts.down_proj",))


def test_a_wrong_name_is_told_with_the_real_ones() -> None:
    with pytest.raises(ModelError) as caught:
        targets(("q_proj", "query"), "llama", layers("llama"))
    error = caught.value
    assert (error.code, error.exit_status, error.where) == ("M010", 4, "lora.target_modules")
    assert '"query"' in error.what
    assert error.expected == "one of: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"
    assert error.fix


def test_the_experts_are_among_the_real_ones() -> None:
    with pytest.raises(ModelError, match=r"q_proj, mlp\.experts\.gate_up_proj, mlp\.experts\.down_proj"):
        targets(("w1",), "mixtral", ["model.layers.0.q_proj"], EXPERTS)


def test_a_preset_that_the_model_does_not_have_is_told_too() -> None:
    with pytest.raises(ModelError, match=r"M010.*query_key_value"):
        targets("attention", "gpt_neox", ["a.q_proj"])


def test_an_unknown_architecture_has_no_preset_but_takes_names() -> None:
    with pytest.raises(ModelError, match=r"M011.*rwkv.*all-linear or names among: key, value"):
        targets("attention", "rwkv", ["a.key", "a.value"])
    assert targets(("key",), "rwkv", ["a.key"]) == Targets(("key",))
    assert targets("all-linear", "rwkv", ["a.key", "b.key"]) == Targets(("key",))


def test_short_names_come_once_in_order() -> None:
    assert short_names(["a.x", "a.y", "b.x", "z"]) == ("x", "y", "z")
