"""Frozen norms by the root of the mean square (Zhang and Sennrich, arXiv 1910.07467) that keep one tensor.

y = w x / sqrt(mean(x^2) + eps). Autograd keeps x in float32 twice where it is in 16 bits; here x is kept as
it is, with one number a token. Layers that read y would keep it as well: on a CPU they keep x instead, one
tensor for all, and make y again. Shapes: T tokens (in any number of dimensions), H hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from .meta_device import kind_of
from .same_code import same_code


def make_norms_lean(model: Any) -> None:
    """Gives every frozen norm whose forward is that of Llama the leaner way."""
    leaner: dict[type, type] = {}
    for module in model.modules():
        kind = type(module)
        if not isinstance(module, _Lean) and same_code(module, LlamaRMSNorm):
            module.__class__ = leaner.setdefault(kind, type(kind.__name__, (_Lean, kind), {}))


class _Lean:
    """Computes leanly where there is something to be kept, else as the class beside it."""

    weight: torch.Tensor
    variance_epsilon: float

    def forward(self, hidden_states: torch.Tensor) -> Any:
        if not (torch.is_grad_enabled() and hidden_states.requires_grad) or self.weight.requires_grad:
            return super().forward(hidden_states)  # type: ignore[misc]
        y, scale = _RootMeanSquare.apply(hidden_states, self.weight, self.variance_epsilon)  # type: ignore[no-untyped-call]
        if kind_of(y.device.type) == "cpu":  # what more passes would cost a GPU was not measured
            y.normed = Normed((hidden_states, scale, self.weight), Remade(), y._version)
        return y


class Remade:
    """A norm's output, made again for the backward passes of those that have read it.

    It holds none of what it is made of: readers save that as autograd's own, so that it is let go of in time
    and checkpointing sees it.
    """

    def __init__(self) -> None:
        self._readers = 0
        self._made: torch.Tensor | None = None

    def read(self) -> Remade:
        """By one more layer."""
        self._readers += 1
        return self

    def __call__(self, x_TH: torch.Tensor, scale_T1: torch.Tensor, weight_H: torch.Tensor) -> torch.Tensor:
        """For one reader: made for the first, forgotten after the last."""
        made = _normed(x_TH, scale_T1, weight_H) if self._made is None else self._made
        self._readers -= 1
        self._made = made if self._readers > 0 else None
        return made


@dataclass(frozen=True, slots=True)
class Normed:
    """What the output of a norm says of itself.

    Attributes:
        parts: what it is made of, which its readers save instead: x, the scale and the weight.
        version: autograd's count of changes in place; after one more it is no longer the norm's output.
    """

    parts: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    remade: Remade
    version: int


def normed(x: torch.Tensor) -> Normed | None:
    """How to make this tensor again, where it is a norm's output."""
    its: Normed | None = getattr(x, "normed", None)
    return its if its is not None and its.version == x._version else None


def read_again(remade: Remade | None, parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """What a reader has read, shape [T, H], of what it has saved: the tensor itself, or its parts."""
    if remade is None:
        return parts[0]
    made = remade(*parts)
    return made.view(-1, made.shape[-1])


class _RootMeanSquare(torch.autograd.Function):
    """Computes in float32, as the models do."""

    @staticmethod
    def forward(ctx: Any, x_TH: torch.Tensor, weight_H: torch.Tensor, epsilon: float) -> Any:
        wide_TH = x_TH.float()
        mean_T1 = torch.linalg.vector_norm(wide_TH, dim=-1, keepdim=True).square_().div_(x_TH.shape[-1])
        scale_T1 = mean_T1.add_(epsilon).rsqrt_()
        ctx.save_for_backward(x_TH, weight_H, scale_T1)
        ctx.mark_non_differentiable(scale_T1)
        return _normed(x_TH, scale_T1, weight_H), scale_T1

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        """dx = s (g w - n mean(g w n)), where n = s x and s is the scale."""
        x_TH, weight_H, scale_T1 = ctx.saved_tensors
        over_n_TH = (gradients[0] * weight_H).float()
        n_TH = x_TH.float() * scale_T1
        mean_T1 = (over_n_TH * n_TH).mean(-1, keepdim=True)
        over_x_TH = over_n_TH.addcmul_(n_TH, mean_T1, value=-1).mul_(scale_T1)
        return over_x_TH.to(x_TH.dtype), None, None


def _normed(x_TH: torch.Tensor, scale_T1: torch.Tensor, weight_H: torch.Tensor) -> torch.Tensor:
    y_TH: torch.Tensor = (x_TH.float() * scale_T1).to(x_TH.dtype)
    return y_TH.mul_(weight_H) if y_TH.dtype == weight_H.dtype else y_TH * weight_H
