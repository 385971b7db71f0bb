"""Cross-entropy from hidden states, a few labels at a time, so that no tensor of all logits ever exists.

The gradient of a sum of cross-entropies with respect to the logits is softmax minus one at the label. It is
known as soon as the logits are, so the forward pass takes each part's logits, its loss and the gradient of
its hidden states at once and forgets the logits: nothing is computed twice, and what is kept for the backward
pass has the size of the hidden states (the idea of Liger's fused linear cross-entropy, arXiv 2410.10989, and
of Wijmans et al., arXiv 2411.09009). Shapes: L labels, C labels of one part, H hidden, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import torch
from torch.distributed.tensor import DTensor
from torch.nn.functional import linear

from .meta_device import kind_of

_NUMBERS = {"cpu": 2**21, "cuda": 2**25}
"""Logits of one part. On a CPU they should stay near its caches, a GPU wants large products."""
_LIFT = 2.0**10
"""Gradients in float16 end at 6e-8, below what many words of a vocabulary get: they are lifted meanwhile."""


@dataclass(frozen=True, slots=True)
class Head:
    """The projection to the vocabulary: logits = cap tanh(scale (W h + b) / cap).

    Attributes:
        weight: shape [V, H]; frozen.
        cap: soft limit of the logits (Gemma 2, arXiv 2408.00118), or None.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    scale: float = 1.0
    cap: float | None = None

    @classmethod
    def of(cls, module: torch.nn.Linear, config: Any) -> Head:
        """With what the configuration says of the logits.

        Granite divides them, Cohere multiplies them, Gemma limits them.
        """
        text = config.get_text_config()
        scale, divided = getattr(text, "logit_scale", None), getattr(text, "logits_scaling", None)
        if scale is None:
            scale = 1.0 if divided is None else 1.0 / divided
        return cls(module.weight, module.bias, float(scale), getattr(text, "final_logit_softcapping", None))

    def at(self, temperature: float) -> Head:
        """The head whose logits are this one's divided by the temperature."""
        cap = None if self.cap is None else self.cap / temperature
        return replace(self, scale=self.scale / temperature, cap=cap)

    def logits(self, hidden_CH: torch.Tensor) -> torch.Tensor:
        """In float32, shape [C, V]."""
        logits_CV = linear(hidden_CH, self.weight, self.bias).float()
        if self.scale != 1.0:
            logits_CV.mul_(self.scale)
        if self.cap is not None:
            logits_CV.div_(self.cap).tanh_().mul_(self.cap)
        return logits_CV


def head_of(model: Any) -> Head | None:
    """What the model does after its last hidden state, or None where it is not a plain frozen projection."""
    module = model.get_output_embeddings()
    plain = type(module) is torch.nn.Linear and "forward" not in module.__dict__
    if not plain or any(weight.requires_grad for weight in module.parameters()):
        return None
    if isinstance(module.weight, DTensor):
        return None  # it is spread over processes
    scale = getattr(model.config.get_text_config(), "logit_scale", None)
    return Head.of(module, model.config) if scale is None or isinstance(scale, int | float) else None


def summed_cross_entropy(
    head: Head, hidden_LH: torch.Tensor, labels_L: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of all labels' cross-entropies, in nats, and how many labels had the highest logit."""
    loss, right = _SummedCrossEntropy.apply(hidden_LH, head, labels_L)  # type: ignore[no-untyped-call]
    return loss, right


class _SummedCrossEntropy(torch.autograd.Function):
    """Keeps the gradient of the hidden states, which the backward pass multiplies by a number."""

    @staticmethod
    def forward(ctx: Any, hidden_LH: torch.Tensor, head: Head, labels_L: torch.Tensor) -> Any:
        wanted = ctx.needs_input_grad[0]
        loss = torch.zeros((), dtype=torch.float32, device=hidden_LH.device)
        right = torch.zeros((), dtype=torch.int64, device=hidden_LH.device)
        gradients = []
        size = labels_of_a_part(hidden_LH.device.type, head.weight.shape[0], len(labels_L))
        for hidden_CH, labels_C in zip(hidden_LH.split(size), labels_L.split(size), strict=True):
            of_part, right_of_part, gradient_CH = _part(head, hidden_CH, labels_C, wanted=wanted)
            loss += of_part
            right += right_of_part
            gradients.append(gradient_CH)
        if wanted:
            ctx.save_for_backward(torch.cat(gradients))
        ctx.dtype = hidden_LH.dtype
        ctx.mark_non_differentiable(right)
        return loss, right

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (kept_LH,) = ctx.saved_tensors
        return (kept_LH * gradients[0].to(kept_LH.dtype)).to(ctx.dtype), None, None


def _part(head: Head, hidden_CH: torch.Tensor, labels_C: torch.Tensor, *, wanted: bool) -> Any:
    """Loss, right labels and, where it is wanted, the gradient of the hidden states of one part."""
    logits_CV = head.logits(hidden_CH)
    right = (logits_CV.argmax(-1) == labels_C).sum()
    slope_CV = slope_of_cap(logits_CV, head.cap) if wanted else None
    logs_CV = torch.log_softmax(logits_CV, -1)
    del logits_CV
    loss = -logs_CV.gather(1, labels_C[:, None]).sum()
    return (
        loss,
        right,
        hidden_gradient(logs_CV.exp_(), labels_C, slope_CV, head, hidden_CH.dtype) if wanted else None,
    )


def labels_of_a_part(device: str, vocabulary: int, labels: int) -> int:
    """How many labels have their logits made at once on that device: few parts, of like size."""
    most = max(1, _NUMBERS.get(kind_of(device), _NUMBERS["cuda"]) // vocabulary)
    return max(1, ceil(labels / max(1, ceil(labels / most))))


def slope_of_cap(logits_CV: torch.Tensor, cap: float | None) -> torch.Tensor | None:
    """The derivative of the soft limit, 1 - tanh^2, from what it made."""
    return None if cap is None else (logits_CV / cap).square_().neg_().add_(1.0)


def hidden_gradient(
    probabilities_CV: torch.Tensor,
    labels_C: torch.Tensor,
    slope_CV: torch.Tensor | None,
    head: Head,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Of the cross-entropies, with respect to the hidden states of one part.

    Args:
        probabilities_CV: softmax of the logits; it is used up.
        slope_CV: what ``slope_of_cap`` gave for them.

    Returns:
        Shape [C, H].
    """
    over_logits_CV = probabilities_CV
    over_logits_CV.scatter_add_(1, labels_C[:, None], over_logits_CV.new_full((len(labels_C), 1), -1.0))
    if slope_CV is not None:
        over_logits_CV.mul_(slope_CV)
    if head.scale != 1.0:
        over_logits_CV.mul_(head.scale)
    if dtype != torch.float16:
        return over_logits_CV.to(dtype) @ head.weight
    return (over_logits_CV.mul_(_LIFT).to(dtype) @ head.weight).float() / _LIFT
