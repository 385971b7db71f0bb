"""Log-probabilities of labels that any function may be made of, without a tensor of all logits.

Each label's log-probability depends on one hidden state alone, and its gradient with respect to it is known
as soon as the logits are. The forward pass takes a few labels at a time, keeps that gradient, which has the
size of the hidden state, and forgets the logits; the backward pass multiplies it by whatever the
log-probability weighs in the end. So the vocabulary is projected once, not again in the backward pass.
Shapes: L labels, C labels of one part, H hidden, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from .label_scores import scored_at_labels
from .vocabulary_loss import Head, hidden_gradient, labels_of_a_part, slope_of_cap


@dataclass(frozen=True, slots=True)
class LabelLogProbs:
    """What a model makes of labels, one by one.

    Attributes:
        log_probs_L: in nats, float32; can be differentiated once.
        entropies_L: of the distribution each label is drawn from, in nats, float32; without gradient.
    """

    log_probs_L: torch.Tensor
    entropies_L: torch.Tensor


def label_log_probs(
    model: Any,
    inputs: Mapping[str, Any],
    labels_L: torch.Tensor,
    at: tuple[torch.Tensor, ...] = (),
    *,
    temperature: float = 1.0,
) -> LabelLogProbs:
    """Runs the model and gives the labels' log-probabilities.

    A model whose head is no plain frozen projection has its logits made, at the labels alone.

    Args:
        inputs: of the model, with ``logits_to_keep``.
        at: rows and columns, of the positions that are kept, where the labels are predicted; without it they
            are predicted one after the other in the first row.
        temperature: at which the labels were drawn, more than 0.
    """

    def of_hidden(head: Head, hidden_LH: torch.Tensor) -> LabelLogProbs:
        return hidden_log_probs(head, hidden_LH, labels_L, temperature=temperature)

    def of_logits(logits_LV: torch.Tensor) -> LabelLogProbs:
        return _of_logits(logits_LV, labels_L, temperature)

    return scored_at_labels(model, inputs, len(labels_L), at, of_hidden, of_logits)


def hidden_log_probs(
    head: Head, hidden_LH: torch.Tensor, labels_L: torch.Tensor, *, temperature: float = 1.0
) -> LabelLogProbs:
    """The labels' log-probabilities, from the hidden states that predict them."""
    labels_L = labels_L.to(hidden_LH.device)
    made = _LogProbs.apply(hidden_LH, head.at(temperature), labels_L)  # type: ignore[no-untyped-call]
    return LabelLogProbs(*made)


class _LogProbs(torch.autograd.Function):
    """Keeps each label's gradient, which the backward pass multiplies by a number of its own."""

    @staticmethod
    def forward(ctx: Any, hidden_LH: torch.Tensor, head: Head, labels_L: torch.Tensor) -> Any:
        wanted = ctx.needs_input_grad[0]
        size = labels_of_a_part(hidden_LH.device.type, head.weight.shape[0], len(labels_L))
        # Made before the parts: small tensors made between them would sit where the next part's logits were
        # to come, and a CPU's allocator would have to find room for those elsewhere, again and again.
        log_probs_L = hidden_LH.new_empty(len(labels_L), dtype=torch.float32)
        entropies_L = torch.empty_like(log_probs_L)
        kept_LH = torch.empty_like(hidden_LH, dtype=_kept(hidden_LH.dtype)) if wanted else None
        for start in range(0, len(labels_L), size):
            part = slice(start, start + size)
            log_probs_L[part], entropies_L[part], gradient_CH = _part(
                head, hidden_LH[part], labels_L[part], wanted=wanted
            )
            if kept_LH is not None:
                kept_LH[part] = gradient_CH
        if kept_LH is not None:
            ctx.save_for_backward(kept_LH)
        ctx.dtype = hidden_LH.dtype
        ctx.mark_non_differentiable(entropies_L)
        return log_probs_L, entropies_L

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient_L: torch.Tensor, _: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        (kept_LH,) = ctx.saved_tensors
        # What is kept is the cross-entropy's, of the opposite sign.
        return torch.mul(kept_LH, -gradient_L[:, None]).to(ctx.dtype), None, None


def _kept(dtype: torch.dtype) -> torch.dtype:
    """The format of gradients that ``hidden_gradient`` makes."""
    return torch.float32 if dtype == torch.float16 else dtype


def _part(head: Head, hidden_CH: torch.Tensor, labels_C: torch.Tensor, *, wanted: bool) -> Any:
    """Log-probabilities, entropies and, where it is wanted, the gradient of one part's cross-entropies."""
    logits_CV = head.logits(hidden_CH)
    slope_CV = slope_of_cap(logits_CV, head.cap) if wanted else None
    logs_CV = torch.log_softmax(logits_CV, -1)
    del logits_CV
    log_probs_C = logs_CV.gather(1, labels_C[:, None]).squeeze(1)
    probabilities_CV = logs_CV.exp()
    entropies_C = _entropies(logs_CV, probabilities_CV)
    del logs_CV
    if not wanted:
        return log_probs_C, entropies_C, None
    gradient_CH = hidden_gradient(probabilities_CV, labels_C, slope_CV, head, hidden_CH.dtype)
    return log_probs_C, entropies_C, gradient_CH


def _entropies(logs_CV: torch.Tensor, probabilities_CV: torch.Tensor) -> torch.Tensor:
    """``logs_CV`` is used up."""
    # A word that a model rules out has a logarithm of minus infinity, and no part in the entropy.
    least = torch.finfo(logs_CV.dtype).min
    return logs_CV.clamp_(min=least).mul_(probabilities_CV).sum(-1).neg_()


def _of_logits(logits_LV: torch.Tensor, labels_L: torch.Tensor, temperature: float) -> LabelLogProbs:
    logs_LV = torch.log_softmax(logits_LV.float() / temperature, -1)
    labels_L = labels_L.to(logs_LV.device)
    with torch.no_grad():
        size = labels_of_a_part(logs_LV.device.type, logs_LV.shape[-1], len(labels_L))
        parts = [_entropies(logs_CV.clone(), logs_CV.exp()) for logs_CV in logs_LV.detach().split(size)]
    return LabelLogProbs(logs_LV.gather(1, labels_L[:, None]).squeeze(1), torch.cat(parts))
