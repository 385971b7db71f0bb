"""A tiny random model of every architecture that has presets, of the real class, with a real tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.tiny_model import tiny_tokenizer

_LLAMA = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
}
_GPT2 = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 512}
_NEOX = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 64}

TINY: dict[str, dict[str, Any]] = {
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma": _LLAMA,
    "gemma2": _LLAMA,
    "gemma3": {
        "text_config": {**_LLAMA, "vocab_size": 320},
        "vision_config": {
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
            "image_size": 28, "patch_size": 14,
        },
        "mm_tokens_per_image": 4,
    },
    "gemma3_text": _LLAMA,
    "smollm3": _LLAMA,
    "olmo2": _LLAMA,
    "granite": _LLAMA,
    "cohere2": _LLAMA,
    "stablelm": _LLAMA,
    "glm4": _LLAMA,
    "phi": _NEOX,
    "phi3": _LLAMA,
    "gpt_neox": _NEOX,
    "falcon": {**_NEOX, "new_decoder_architecture": False},
    "bloom": {"hidden_size": 64, "n_layer": 2, "n_head": 4},
    "gpt2": _GPT2,
    "gpt_bigcode": _GPT2,
    "gptj": {**_GPT2, "rotary_dim": 8},
    "opt": {
        "hidden_size": 64, "ffn_dim": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
        "word_embed_proj_dim": 64, "max_position_embeddings": 512,
    },
    "mpt": {"d_model": 64, "n_layers": 2, "n_heads": 4, "max_seq_len": 512},
    "starcoder2": _LLAMA,
    "mixtral": {**_LLAMA, "num_local_experts": 4},
    "qwen2_moe": {**_LLAMA, **_EXPERTS, "shared_expert_intermediate_size": 64},
    "qwen3_moe": {**_LLAMA, **_EXPERTS},
}  # fmt: skip
"""Configurations by ``model_type``: two layers of width 64."""


def make_tiny(architecture: str, folder: Path) -> Path:
    """Saves the model in a folder that any library loads."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = tiny_tokenizer()
    ends = {"pad_token_id": 0, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    values = {"vocab_size": 320, **ends, **TINY[architecture]}
    if "text_config" in values:
        values.pop("vocab_size")
        values["text_config"] = {**values["text_config"], **ends}
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(AutoConfig.for_model(architecture, **values)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
