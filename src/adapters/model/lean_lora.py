"""LoRA layers of PEFT that compute as ``lean_linear`` does, wherever that is what they would compute.

They stay PEFT's own layers in everything else: saving, merging, switching off. What the few passes do not
know is left to PEFT: DoRA and other variants, several LoRA weights at once, biases of their own, merged
weights, autocast, float16, and base layers that are neither plain nor in 4 bits.
"""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora.bnb import Linear4bit as Lora4bit
from peft.tuners.lora.layer import Linear as LoraLinear

from . import lean_linear
from .lean_linear import Kept, LowRank, autocasts, computes_in
from .lean_norm import Normed, normed, read_again

NAME = "default"


def make_layers_lean(model: Any) -> None:
    """Changes the class of every LoRA layer of a model that has a leaner one."""
    leaner: dict[type, type] = {LoraLinear: LeanLinear, Lora4bit: Lean4bit}
    for module in model.modules():
        if type(module) in leaner:
            module.__class__ = leaner[type(module)]


def added_to(layer: Any, x: torch.Tensor) -> LowRank | None:
    """The LoRA weights of a PEFT layer, or None where the layer must compute by itself."""
    if layer.disable_adapters or layer.merged or layer.lora_variant or layer.active_adapters != [NAME]:
        return None
    if NAME not in layer.lora_A or layer.lora_bias[NAME] or autocasts(x):
        return None
    if x.dtype not in (torch.float32, torch.bfloat16) or computes_in(layer.base_layer) != x.dtype:
        return None
    dropout = layer.lora_dropout[NAME]
    share = dropout.p if isinstance(dropout, torch.nn.Dropout) and dropout.training else 0.0
    return LowRank(layer.lora_A[NAME].weight, layer.lora_B[NAME].weight, layer.scaling[NAME], share)


class _Lean:
    """Computes leanly where it can, else as the class beside it."""

    def forward(self, x: torch.Tensor, *args: Any, **options: Any) -> Any:
        added = None if args or options else added_to(self, x)
        if added is None:
            return super().forward(x, *args, **options)  # type: ignore[misc]
        layer = self.base_layer  # type: ignore[attr-defined]
        return _Added.apply(x, layer, added.a_rI, added.b_Or, added.scale, added.dropout, normed(x))  # type: ignore[no-untyped-call]


class LeanLinear(_Lean, LoraLinear):
    """Beside a plain linear layer."""


class Lean4bit(_Lean, Lora4bit):
    """Beside one of bitsandbytes in 4 bits."""


class _Added(torch.autograd.Function):
    """One layer."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        layer: Any,
        a_rI: Any,
        b_Or: Any,
        scale: float,
        dropout: float,
        again: Normed | None,
    ) -> torch.Tensor:
        x_TI = x.reshape(-1, x.shape[-1])
        y_TO, kept = lean_linear.forward(layer, LowRank(a_rI, b_Or, scale, dropout), x_TI)
        assert kept is not None
        ctx.layer, ctx.scale, ctx.dropout = layer, scale, dropout
        ctx.remade = again.remade.read() if again and a_rI.requires_grad else None
        whole = again.parts if again else (x_TI,)
        ctx.save_for_backward(a_rI, b_Or, kept.low_Tr, kept.mask_TI, *(whole if a_rI.requires_grad else ()))
        return lean_linear.shaped(y_TO, *x.shape[:-1], y_TO.shape[-1])

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        a_rI, b_Or, low_Tr, mask_TI, *parts = ctx.saved_tensors
        x_TI = read_again(ctx.remade, parts) if parts else None
        gradient = gradients[0]
        over_x, over_a, over_b = lean_linear.backward(
            ctx.layer,
            LowRank(a_rI, b_Or, ctx.scale, ctx.dropout),
            Kept(low_Tr, mask_TI),
            gradient.reshape(-1, gradient.shape[-1]),
            x_TI,
            wanted=ctx.needs_input_grad[0],
        )
        whole = None if over_x is None else over_x.view(*gradient.shape[:-1], -1)
        return whole, None, over_a, over_b, None, None, None
