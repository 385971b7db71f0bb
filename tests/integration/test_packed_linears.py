"""Copies compute what the layers do, in whatever order and of whatever they are asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from weakref import ref

import pytest
import torch

from cesello.adapters.model.packed_linears import PackedLinears
from tests.integration.test_lean import tuned

pytestmark = pytest.mark.usefixtures("one_thread")


def block(folder: Path, architecture: str = "qwen2") -> tuple[Any, Any]:
    """A model and its first attention; that of Qwen2 has biases."""
    model = tuned(architecture, folder)
    return model, next(module for module in model.modules() if hasattr(module, "q_proj"))


def texts(layer: Any) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, rows, layer.q_proj.in_features, generator=generator) for rows in (3, 1)]


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
@pytest.mark.parametrize("order", ["qkv", "vkq", "qqvk"])
def test_layers_that_read_together_are_each_right_alone(
    order: str, architecture: str, tmp_path: Path
) -> None:
    model, layer = block(tmp_path, architecture)
    asked = [(getattr(layer, f"{one}_proj"), x) for one in order for x in texts(layer)]
    asked += [(getattr(layer, f"{one}_proj"), x) for x in texts(layer) for one in order]
    with torch.inference_mode():
        plain = [one(x) for one, x in asked]
        with PackedLinears(model, 2**30).standing_in():
            assert "forward" in vars(layer.q_proj)
            packed = [one(x) for one, x in asked]
    for ours, theirs in zip(packed, plain, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)
    assert "forward" not in vars(layer.q_proj)


@pytest.mark.parametrize("order", ["qkv", "vqk"])
def test_what_was_read_and_made_is_let_go_of_after_the_last(order: str, tmp_path: Path) -> None:
    model, layer = block(tmp_path)
    with torch.inference_mode(), PackedLinears(model, 2**30).standing_in():
        x, _ = texts(layer)
        read = ref(x)
        made = [getattr(layer, f"{one}_proj")(x) for one in order]
        whole = ref(made[0]._base) if made[0]._base is not None else None
        del x, made
        assert read() is None
        assert whole is None or whole() is None


def test_one_with_a_forward_of_its_own_keeps_it_and_the_others_are_copied(tmp_path: Path) -> None:
    model, layer = block(tmp_path)
    own = layer.k_proj.forward
    layer.k_proj.forward = lambda x: own(x) + 1.0
    _, x = texts(layer)
    names = ("q_proj", "k_proj", "v_proj")
    with torch.inference_mode():
        plain = [getattr(layer, name)(x) for name in names]
        with PackedLinears(model, 2**30).standing_in():
            packed = [getattr(layer, name)(x) for name in names]
    for ours, theirs in zip(packed, plain, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)
    assert layer.k_proj.forward is not own
