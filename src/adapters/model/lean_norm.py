"""Frozen norms by the root of the mean square (Zhang and Sennrich, arXiv 1910.07467) that keep one tensor.

y = w x / sqrt(mean(x^2) + eps). Autograd keeps x in float32 twice where it is in 16 bits; here x is kept as
it is, with one number a token. Shapes: T tokens (in any number of dimensions), H hidden.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.models.llama.modeling_llama import LlamaRMSNorm

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
        return _RootMeanSquare.apply(hidden_states, self.weight, self.variance_epsilon)  # type: ignore[no-untyped-call]


class _RootMeanSquare(torch.autograd.Function):
    """Computes in float32, as the models do."""

    @staticmethod
    def forward(ctx: Any, x_TH: torch.Tensor, weight_H: torch.Tensor, epsilon: float) -> torch.Tensor:
        wide_TH = x_TH.float()
        mean_T1 = torch.linalg.vector_norm(wide_TH, dim=-1, keepdim=True).square_().div_(x_TH.shape[-1])
        scale_T1 = mean_T1.add_(epsilon).rsqrt_()
        ctx.save_for_backward(x_TH, weight_H, scale_T1)
        y_TH: torch.Tensor = (wide_TH * scale_T1).to(x_TH.dtype)
        return y_TH.mul_(weight_H) if y_TH.dtype == weight_H.dtype else y_TH * weight_H

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        """dx = s (g w - n mean(g w n)), where n = s x and s is the scale."""
        x_TH, weight_H, scale_T1 = ctx.saved_tensors
        over_n_TH = (gradients[0] * weight_H).float()
        n_TH = x_TH.float() * scale_T1
        mean_T1 = (over_n_TH * n_TH).mean(-1, keepdim=True)
        over_x_TH = over_n_TH.addcmul_(n_TH, mean_T1, value=-1).mul_(scale_T1)
        return over_x_TH.to(x_TH.dtype), None, None
