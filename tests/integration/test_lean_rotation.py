"""Queries and keys are turned as transformers turns them, with nothing made on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig
from transformers.models.glm.modeling_glm import GlmAttention
from transformers.models.llama import modeling_llama as llama
from transformers.models.phi3.modeling_phi3 import Phi3Attention

from cesello.adapters.model.lean_rotation import make_rotations_lean
from tests.tiny_architectures import make_tiny

pytestmark = pytest.mark.usefixtures("one_thread")
PLAIN = llama.apply_rotary_pos_emb


def attention() -> Any:
    config = LlamaConfig(hidden_size=32, num_attention_heads=4, num_key_value_heads=2)
    return llama.LlamaAttention(config, 0)


def inputs(dtype: torch.dtype) -> list[torch.Tensor]:
    """Queries, keys, cosines and sines; the halves of the latter differ, as they do in no model."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(2, 4, 5, 8), (2, 2, 5, 8), (2, 5, 8), (2, 5, 8)]
    made = [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]
    return [one.requires_grad_(at < 2) for at, one in enumerate(made)]


@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-6), (torch.bfloat16, 2e-2)])
def test_numbers_and_gradients_are_those_of_transformers(dtype: torch.dtype, near: float) -> None:
    layer = attention()
    make_rotations_lean(layer)
    lean = type(layer).forward.__globals__["apply_rotary_pos_emb"]
    assert lean is not PLAIN
    found = []
    for rotate in (PLAIN, lean):
        given = inputs(dtype)
        q, k = rotate(given[0], given[1], given[2], given[3])
        weights = torch.linspace(-1, 1, 8)
        loss = (q.float() * weights).sum() + (k.float() * weights).sum()
        found.append([q, k, *torch.autograd.grad(loss, given[:2])])
    for ours, theirs in zip(*found, strict=True):
        assert ours.dtype == theirs.dtype
        assert torch.allclose(ours, theirs, rtol=near, atol=near)


def test_transformers_own_stays_as_it_is() -> None:
    plain, layer = llama.LlamaAttention.forward, attention()
    make_rotations_lean(layer)
    kind = type(layer)
    make_rotations_lean(layer)
    assert type(layer) is kind
    assert llama.apply_rotary_pos_emb is PLAIN
    assert llama.LlamaAttention.forward is plain
    assert isinstance(layer, llama.LlamaAttention)


@pytest.mark.parametrize("kind", [GlmAttention, Phi3Attention])
def test_who_rotates_in_another_way_is_left_alone(kind: type) -> None:
    layer: Any = object.__new__(kind)
    torch.nn.Module.__init__(layer)
    make_rotations_lean(layer)
    assert type(layer) is kind


def test_a_model_makes_the_same_of_a_text(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(make_tiny("qwen3", tmp_path), dtype=torch.float32)
    ids = torch.arange(3, 43)[None]
    plain = model(input_ids=ids).logits
    make_rotations_lean(model)
    assert type(model.model.layers[0].self_attn).__name__ == "Qwen3Attention"
    assert torch.allclose(model(input_ids=ids).logits, plain, atol=1e-6)
