"""A frozen linear layer with LoRA weights, forward and backward, in few passes over memory.

y = x W^T + b + s drop(x) A^T B^T (Hu et al., arXiv 2106.09685). PEFT computes it as layers of their own, and
autograd keeps and adds what comes between. Here the small products are added onto the large ones in place,
and the backward pass keeps x, which is shared by all that read it, x A^T and where dropout let through.

In 16 bits PEFT computes x A^T B^T in float32, with a copy of x. Here the copies are of A and B, in the format
of x, as autocast does; both are rounded once, and their gradients are handed on in float32. Shapes: T tokens,
I inputs, O outputs, r rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn.modules import Linear4bit
from torch.nn.functional import linear

Tensor = torch.Tensor


@dataclass(frozen=True, slots=True)
class LowRank:
    """What is added to a layer: A [r, I], B [O, r], the scale and the share of inputs that dropout takes."""

    a_rI: Tensor
    b_Or: Tensor
    scale: float
    dropout: float = 0.0


@dataclass(frozen=True, slots=True)
class Kept:
    """What the backward pass needs beside x: x A^T, and where dropout let through (None: everywhere)."""

    low_Tr: Tensor
    mask_TI: Tensor | None


def whole_weight(layer: Any) -> Tensor:
    """The frozen weight as numbers, shape [O, I]; of one in 4 bits, made for this moment."""
    if isinstance(layer, Linear4bit):
        weight: Any = layer.weight
        made: Tensor = dequantize_4bit(weight.data, weight.quant_state)
        return made if layer.compute_dtype is None else made.to(layer.compute_dtype)
    made_whole = getattr(layer, "made_whole", None)
    return made_whole() if made_whole is not None else layer.weight  # type: ignore[no-any-return]


def computes_in(layer: Any) -> torch.dtype | None:
    """The format in which ``whole_weight`` comes, or None where a layer is of another kind."""
    if isinstance(layer, Linear4bit):
        weight: Any = layer.weight
        ready = getattr(weight, "quant_state", None) is not None and not weight.requires_grad
        return (layer.compute_dtype or weight.quant_state.dtype) if ready else None
    if hasattr(layer, "made_whole"):
        return layer.compute_dtype  # type: ignore[no-any-return]
    # Those of ZeRO-3 have their weights only while they are called themselves.
    left = "forward" in vars(layer) or hasattr(getattr(layer, "weight", None), "ds_id")
    plain = type(layer) is torch.nn.Linear and not layer.weight.requires_grad and not left
    return layer.weight.dtype if plain else None


def autocasts(x: Tensor) -> bool:
    """Whether torch chooses the format of products; the meta device has nothing to choose."""
    return x.device.type != "meta" and torch.is_autocast_enabled(x.device.type)


def forward(layer: Any, added: LowRank | None, x_TI: Tensor) -> tuple[Tensor, Kept | None]:
    """The output, shape [T, O], and what is kept of the way to it."""
    bias = None if layer.bias is None else layer.bias.to(x_TI.dtype)
    y_TO = linear(x_TI, whole_weight(layer), bias)
    if added is None:
        return y_TO, None
    mask_TI = None
    if added.dropout:
        mask_TI = torch.empty_like(x_TI, dtype=torch.bool).bernoulli_(1 - added.dropout)
    low_Tr = linear(_let_through(x_TI, mask_TI, added), added.a_rI.to(x_TI.dtype))
    y_TO.addmm_(low_Tr, added.b_Or.to(x_TI.dtype).T, alpha=added.scale)
    return y_TO, Kept(low_Tr, mask_TI)


def backward(
    layer: Any,
    added: LowRank | None,
    kept: Kept | None,
    gradient_TO: Tensor,
    x_TI: Tensor | None,
    onto_TI: Tensor | None = None,
    *,
    wanted: bool = True,
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """The gradients of x, A and B.

    Args:
        x_TI: None where A is not trained.
        onto_TI: that of x is added to this.
        wanted: whether that of x is.
    """
    over_x_TI = None
    if wanted:
        weight_OI = whole_weight(layer)
        over_x_TI = gradient_TO @ weight_OI if onto_TI is None else onto_TI.addmm_(gradient_TO, weight_OI)
        del weight_OI
    if added is None or kept is None:
        return over_x_TI, None, None
    dtype = gradient_TO.dtype
    low_Tr = (gradient_TO @ added.b_Or.to(dtype)).mul_(added.scale)
    over_a_rI = over_b_Or = None
    if x_TI is not None:
        over_a_rI = _product(low_Tr.T, _let_through(x_TI, kept.mask_TI, added), added.a_rI.dtype)
        over_b_Or = _product(gradient_TO.T, kept.low_Tr, added.b_Or.dtype).mul_(added.scale)
    if over_x_TI is not None:
        a_rI = added.a_rI.to(dtype)
        if kept.mask_TI is None:
            over_x_TI.addmm_(low_Tr, a_rI)
        else:
            over_x_TI.add_((low_Tr @ a_rI).mul_(kept.mask_TI), alpha=1 / (1 - added.dropout))
    return over_x_TI, over_a_rI, over_b_Or


def shaped(y: Tensor, *shape: int) -> Tensor:
    """What a function made, in another shape; no view to autograd, so that a model may write into it."""
    return torch.ops.aten._unsafe_view.default(y, shape)  # type: ignore[no-any-return]


def _let_through(x_TI: Tensor, mask_TI: Tensor | None, added: LowRank) -> Tensor:
    return x_TI if mask_TI is None else (x_TI * mask_TI).mul_(1 / (1 - added.dropout))


def _product(left: Tensor, right: Tensor, dtype: torch.dtype) -> Tensor:
    """A sum over all tokens, which a GPU can hand out as it has added it up, in float32."""
    if dtype == torch.float32 != left.dtype and left.device.type == "cuda":
        return torch.mm(left, right, out_dtype=dtype)
    return (left @ right).to(dtype)
