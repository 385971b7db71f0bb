from __future__ import annotations

from typing import Any

import pytest

from cesello.adapters.model.adapter_config import unsafe_keys
from cesello.adapters.model.safetensors_headers import StoredTensor

TENSORS = {
    "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": StoredTensor("F32", (16, 64), 0, 4096),
    "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight": StoredTensor(
        "F32", (4096, 16), 4096, 266240
    ),
}
UNASKED = (
    "alora_invocation_tokens", "arrow_config", "auto_mapping", "corda_config", "eva_config",
    "exclude_modules", "kasa_config", "layer_replication", "layers_pattern", "layers_to_transform",
    "lora_ga_config", "megatron_config", "modules_to_save", "monteclora_config", "target_parameters",
    "trainable_token_indices", "use_bdlora", "velora_config",
)  # fmt: skip
PLAIN: dict[str, Any] = dict.fromkeys(UNASKED) | {
    "alpha_pattern": {},
    "base_model_name_or_path": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "bias": "none",
    "ensure_weight_tying": False,
    "fan_in_fan_out": False,
    "inference_mode": True,
    "init_lora_weights": True,
    "loftq_config": {},
    "lora_alpha": 32,
    "lora_bias": False,
    "lora_dropout": 0.05,
    "megatron_core": "megatron.core",
    "peft_type": "LORA",
    "peft_version": "0.21.2",
    "qalora_group_size": 16,
    "r": 16,
    "rank_pattern": {},
    "revision": None,
    "target_modules": ["q_proj", "v_proj"],
    "task_type": "CAUSAL_LM",
    "use_dora": False,
    "use_qalora": False,
    "use_rslora": False,
}
"""What PEFT 0.21 writes for plain LoRA."""

HARMLESS: dict[str, dict[str, Any]] = {
    "as PEFT writes it": {},
    "other modules": {"exclude_modules": ["visual.fc1"], "modules_to_save": ["embed_tokens", "lm_head"]},
    "experts": {"target_parameters": ["mlp.experts.gate_up_proj"], "target_modules": []},
    "variants": {"use_dora": True, "use_rslora": True, "ensure_weight_tying": True, "lora_bias": True},
    "ranks by module": {"rank_pattern": {"^model.layers.0.q_proj": 8}, "alpha_pattern": {"k_proj": 16.0}},
    "some layers": {"layers_to_transform": [0, 5], "layers_pattern": "layers"},
    "one layer": {"layers_to_transform": 3, "layers_pattern": ["layers", "h"]},
    "a beginning": {"init_lora_weights": "pissa_niter_16"},
    "a gaussian beginning": {"init_lora_weights": "gaussian", "lora_alpha": 45.25},
    "a key of a later PEFT, empty": {"use_newest_variant": None, "newest": {}},
    "a commit of the base": {"revision": "main"},
}
HARMFUL: dict[str, tuple[str, Any]] = {
    "an import": ("auto_mapping", {"base_model_class": "Popen", "parent_library": "subprocess"}),
    "an import for Megatron": ("megatron_core", "marker"),
    "Megatron": ("megatron_config", {"tensor_model_parallel_size": 1}),
    "arguments of a tokenizer": ("tokenizer_kwargs", {"trust_remote_code": True}),
    "another method": ("peft_type", "PROMPT_TUNING"),
    "no method": ("peft_type", None),
    "another task": ("task_type", "SEQ_CLS"),
    "an expression for modules": ("target_modules", "(.*)*(.*)*(.*)*x"),
    "an expression for others": ("exclude_modules", "(.*)*x"),
    "an expression among modules": ("modules_to_save", ["(.*)*x"]),
    "an expression for layers": ("layers_pattern", "(a+)+"),
    "an expression for ranks": ("rank_pattern", {"(a+)+": 8}),
    "an expression for alphas": ("alpha_pattern", {"(a+)+": 8}),
    "a rank beyond the weights": ("r", 17),
    "a rank of a module beyond the weights": ("rank_pattern", {"q_proj": 10**9}),
    "a rank that is no number": ("r", True),
    "a factor that is no number": ("lora_alpha", float("nan")),
    "layers without end": ("layer_replication", [[0, 1_000_000_000]]),
    "rounds without end": ("init_lora_weights", "pissa_niter_1000000000"),
    "a beginning with files": ("corda_config", {"cache_file": "x.pt", "covariance_file": "y.pt"}),
    "a beginning by data": ("init_lora_weights", "lora_ga"),
    "new tokens": ("trainable_token_indices", [10**9]),
    "an unknown key": ("runtime", {"import": "os"}),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_plain_lora_is_let_through(case: str) -> None:
    assert unsafe_keys(PLAIN | HARMLESS[case], TENSORS) == []


@pytest.mark.parametrize("case", HARMFUL)
def test_what_is_not_plain_is_named(case: str) -> None:
    key, value = HARMFUL[case]
    [found] = unsafe_keys(PLAIN | {key: value}, TENSORS)
    assert found.startswith(f"{key} ")
    assert len(found) < 100


def test_all_that_is_not_plain_is_named() -> None:
    assert len(unsafe_keys(PLAIN | dict(HARMFUL.values()), TENSORS)) == len(dict(HARMFUL.values()))


def test_weights_without_matrices_allow_no_rank() -> None:
    assert unsafe_keys(PLAIN, {}) == ["r 16"]
