"""How LoRA weights begin, where PEFT's own ways do not do.

PEFT computes orthogonal weights in the base weight's dtype, which is no number format when that is quantised,
and LoftQ on a GPU only. Shapes: I inputs, O outputs, r rank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from peft.tuners.lora import LoraLayer

from .dequantise import dequantised

_POWER_ITERATIONS = 4
"""Of the randomised decomposition; the residual's spectrum is flat, and more change nothing."""


@torch.no_grad()
def orthogonal(model: Any) -> None:
    """A and B in orthogonal subspaces of rank r / 2 each: neither is zero, and B A is.

    Rows of one random orthogonal matrix are dealt out to A and B in turn, as PEFT's ``orthogonal`` does.
    """
    for layer in _layers(model).values():
        a_rI, b_Or = _weights(layer)
        rank = len(a_rI)
        q_rr, _ = torch.linalg.qr(torch.randn(rank, rank))
        a_rI.copy_((torch.randn(a_rI.shape[1], rank // 2) @ q_rr[0::2]).T / 10)
        b_Or.copy_((torch.randn(b_Or.shape[0], rank // 2) @ q_rr[1::2]) / 10)


@torch.no_grad()
def loftq(model: Any, original: Callable[[str], torch.Tensor]) -> None:
    """B A s as the best approximation of rank r of what quantisation took away (arXiv 2310.08659, one step).

    The quantised weights stay as they are, so that the LoRA weights fit on the same base model anywhere.

    Args:
        original: a layer's weight before it was quantised, by its name in the base model.
    """
    for name, layer in _layers(model).items():
        a_rI, b_Or = _weights(layer)
        stored_OI = dequantised(layer.get_base_layer()).float()
        lost_OI = original(name).to(stored_OI).reshape(stored_OI.shape) - stored_OI
        u_Or, s_r, v_Ir = torch.svd_lowrank(lost_OI / layer.scaling["default"], len(a_rI), _POWER_ITERATIONS)
        a_rI.copy_(s_r.sqrt()[:, None] * v_Ir.T)
        b_Or.copy_(u_Or * s_r.sqrt())


def as_plain_lora(
    trained: Mapping[str, torch.Tensor], initial: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """LoRA weights of twice the rank that do on the untouched base what PiSSA's do on its residual.

    W = R + B0 A0 at the start and R + B A at the end, so the change is B A - B0 A0 = [B, -B0] [A; A0].
    """
    return {name: _joined(name, weight, initial) for name, weight in trained.items()}


def _joined(name: str, weight: torch.Tensor, initial: Mapping[str, torch.Tensor]) -> torch.Tensor:
    if ".lora_A." in name:
        return torch.cat([weight, initial[name]], dim=0)
    if ".lora_B." in name:
        return torch.cat([weight, -initial[name]], dim=1)
    return weight


def _layers(model: Any) -> dict[str, Any]:
    """Layers with LoRA weights by their names in the base model."""
    return dict(_named(model))


def _named(model: Any) -> Iterator[tuple[str, Any]]:
    for name, module in model.get_base_model().named_modules():
        if isinstance(module, LoraLayer):
            yield name, module


def _weights(layer: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return layer.lora_A["default"].weight, layer.lora_B["default"].weight
