"""The gated feed-forward block, down(silu(gate(x)) up(x)) (Shazeer, arXiv 2002.05202), kept in two parts.

Autograd keeps the outputs of gate and up, the activation, and its product with the other for the LoRA weights
of down: four tensors of the block's inner width, most of what a layer keeps. Two of them say it all: the rest
is made again in the backward pass by two multiplications. Shapes: T tokens, F inner width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import silu
from transformers.models.llama.modeling_llama import LlamaMLP

from . import lean_linear
from .lean_linear import Kept, LowRank, autocasts, computes_in
from .lean_lora import Lean4bit, LeanLinear, added_to
from .lean_norm import Normed, normed, read_again
from .same_code import same_code

_NAMES = ("gate_proj", "up_proj", "down_proj")


def make_mlps_lean(model: Any) -> None:
    """Gives every block that is of this form, and nothing else, the leaner way."""
    leaner: dict[type, type] = {}
    for module in model.modules():
        if _is_gated(module):
            kind = type(module)
            module.__class__ = leaner.setdefault(kind, type(kind.__name__, (_Lean, kind), {}))


def _is_gated(module: Any) -> bool:
    return (
        not isinstance(module, _Lean)
        and same_code(module, LlamaMLP)
        and type(module.act_fn).__name__ in ("SiLU", "SiLUActivation")
    )


class _Lean:
    """Computes leanly where all three layers can, else as the class beside it."""

    def forward(self, x: torch.Tensor) -> Any:
        if not (torch.is_grad_enabled() and x.requires_grad):
            return super().forward(x)  # type: ignore[misc]
        layers = [getattr(self, name) for name in _NAMES]
        added = [_added(layer, x) for layer in layers]
        if "other" in added:
            return super().forward(x)  # type: ignore[misc]
        bases = [getattr(layer, "base_layer", layer) for layer in layers]
        return _Gated.apply(x, bases, normed(x), *_flat(added))  # type: ignore[no-untyped-call]


def _added(layer: Any, x: torch.Tensor) -> LowRank | str | None:
    """A layer's LoRA weights, None without any, or "other" where it computes in a way of its own."""
    if isinstance(layer, LeanLinear | Lean4bit):
        return added_to(layer, x) or "other"
    fits = computes_in(layer) == x.dtype and not autocasts(x)
    return None if fits and x.dtype != torch.float16 else "other"


def _flat(added: list[Any]) -> list[Any]:
    """A, B, scale and dropout of each."""
    return [
        value
        for one in added
        for value in ((None, None, 0.0, 0.0) if one is None else (one.a_rI, one.b_Or, one.scale, one.dropout))
    ]


def _low_ranks(flat: Any) -> list[LowRank | None]:
    parts = zip(flat[::4], flat[1::4], flat[2::4], flat[3::4], strict=True)
    return [None if a is None else LowRank(a, b, scale, dropout) for a, b, scale, dropout in parts]


class _Gated(torch.autograd.Function):
    """The three layers and what is between them."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, bases: list[Any], again: Normed | None, *flat: Any
    ) -> torch.Tensor:
        gate, up, down = _low_ranks(flat)
        x_TI = x.reshape(-1, x.shape[-1])
        gate_TF, gate_kept = lean_linear.forward(bases[0], gate, x_TI)
        up_TF, up_kept = lean_linear.forward(bases[1], up, x_TI)
        y_TI, down_kept = lean_linear.forward(bases[2], down, silu(gate_TF).mul_(up_TF))
        kept = [(None, None) if one is None else (one.low_Tr, one.mask_TI) for one in
                (gate_kept, up_kept, down_kept)]  # fmt: skip
        ctx.bases, ctx.numbers = bases, [flat[at] for at in (2, 3, 6, 7, 10, 11)]
        weights = [flat[at] for at in (0, 1, 4, 5, 8, 9)]
        ctx.remade = again.remade.read() if again else None
        whole = again.parts if again else (x_TI,)
        inner = (gate_TF, up_TF, *weights, *(value for pair in kept for value in pair))
        ctx.save_for_backward(*inner, *whole)
        return lean_linear.shaped(y_TI, *x.shape[:-1], y_TI.shape[-1])

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        gate_TF, up_TF, *others = ctx.saved_tensors
        weights, pairs, numbers = others[:6], others[6:12], ctx.numbers
        x_TI = read_again(ctx.remade, others[12:])
        gate, up, down = _low_ranks(
            [value for at in (0, 2, 4) for value in (*weights[at : at + 2], *numbers[at : at + 2])]
        )
        kept = [None if pairs[at] is None else Kept(pairs[at], pairs[at + 1]) for at in (0, 2, 4)]
        gradient_TI = gradients[0].reshape(-1, gradients[0].shape[-1])
        active_TF = silu(gate_TF)
        trained = weights[4] is not None and weights[4].requires_grad
        inner_TF = active_TF * up_TF if trained else None
        over_inner_TF, *over_down = lean_linear.backward(ctx.bases[2], down, kept[2], gradient_TI, inner_TF)
        assert over_inner_TF is not None
        del inner_TF
        over_up_TF = active_TF.mul_(over_inner_TF)
        over_x_TI, *over_up = lean_linear.backward(ctx.bases[1], up, kept[1], over_up_TF, x_TI)
        del over_up_TF, active_TF
        over_gate_TF = torch.ops.aten.silu_backward(over_inner_TF.mul_(up_TF), gate_TF)
        del over_inner_TF
        over_x_TI, *over_gate = lean_linear.backward(
            ctx.bases[0], gate, kept[0], over_gate_TF, x_TI, onto_TI=over_x_TI
        )
        assert over_x_TI is not None
        whole = over_x_TI.view(*gradients[0].shape[:-1], -1)
        return whole, None, None, *over_gate, None, None, *over_up, None, None, *over_down, None, None
