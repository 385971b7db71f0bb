"""The loss of reinforcement, from log-probabilities: ratio, clip, divergence, aggregation.

Read ``policy_loss`` from top to bottom: it is the formula that ``cesello explain`` prints. Whatever is
outside the mask may be anything, even no number. Shapes: B completions of one forward pass, T tokens of the
longest, L trained tokens of all, one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ...domain.objective import Aggregation, Objective, Ratio, StepSize
from .policy_sums import PolicySums


@dataclass(frozen=True, slots=True)
class ScoredCompletions:
    """Completions as the policy, and those before it, score them; nats, at the sampling temperature.

    Attributes:
        log_probs_BT: by the policy as it is; the only one with a gradient.
        mask_BT: true where a token is trained on.
        old_BT: by the policy as it was before the first update on them; None: this is that update.
        drawn_BT: by the engine that drew them, where it is another one; no number where it gave none.
        reference_BT: by the reference; needed where ``beta`` is not 0.
        entropies_BT: of the distributions they are drawn from, for the report.
    """

    log_probs_BT: torch.Tensor
    mask_BT: torch.Tensor
    advantages_B: torch.Tensor
    old_BT: torch.Tensor | None = None
    drawn_BT: torch.Tensor | None = None
    reference_BT: torch.Tensor | None = None
    entropies_BT: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class PolicyLoss:
    """The share of one forward pass in the step's loss; the shares of all passes add up to it.

    Attributes:
        loss: a scalar that can be differentiated.
        sums: for the step's figures; they add up too.
    """

    loss: torch.Tensor
    sums: PolicySums


def policy_loss(objective: Objective, scored: ScoredCompletions, step: StepSize) -> PolicyLoss:
    """What the completions of one forward pass bring to the loss of a step of that size."""
    mask_BT = scored.mask_BT.bool()
    now_BT = scored.log_probs_BT.masked_fill(~mask_BT, 0.0)
    old_BT = now_BT.detach() if scored.old_BT is None else scored.old_BT.masked_fill(~mask_BT, 0.0)
    # One ratio a token, or one a completion, which all of its tokens share.
    ratios_BR = _log_ratios(objective.ratio, now_BT - old_BT, mask_BT).exp()
    losses_BT = _clipped(objective, ratios_BR, scored.advantages_B[:, None]).expand_as(now_BT)
    weights_BT = _importance_weights(objective.importance_cap, old_BT, scored.drawn_BT, mask_BT)
    if weights_BT is not None:
        losses_BT = losses_BT * weights_BT
    divergences_BT = None if scored.reference_BT is None else _k3(scored.reference_BT, now_BT, mask_BT)
    if objective.needs_reference:
        if divergences_BT is None:
            raise ValueError(f"beta is {objective.beta}, and the reference's log-probabilities are missing")
        weighed_BT = divergences_BT * ratios_BR if objective.weighs_divergence else divergences_BT
        losses_BT = losses_BT + objective.beta * weighed_BT
    loss = _aggregated(objective, losses_BT.masked_fill(~mask_BT, 0.0), mask_BT, step)
    sums = PolicySums.of(
        objective,
        ratios_BR.detach(),
        mask_BT,
        scored.advantages_B,
        divergences_BT=divergences_BT,
        entropies_BT=scored.entropies_BT,
        weights_BT=weights_BT,
    )
    return PolicyLoss(loss, sums)


def padded(values_L: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
    """Puts values of trained tokens, one after the other, where the mask has them; shape [B, T]."""
    zeros_BT = values_L.new_zeros(mask_BT.shape)
    return zeros_BT.masked_scatter(mask_BT.bool(), values_L)


def mask_of(masks: Sequence[bytes], device: torch.device | str = "cpu") -> torch.Tensor:
    """Where the tokens of completions are trained on, padded to one width; shape [B, T].

    Args:
        masks: of each completion, 1 where a token is trained on.
    """
    rows = [torch.tensor(list(mask), dtype=torch.bool) for mask in masks]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).to(device)


def _log_ratios(ratio: Ratio, differences_BT: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
    """Shape [B, T], or [B, 1] where one is for the whole completion."""
    if ratio is Ratio.TOKEN:
        return differences_BT
    return differences_BT.sum(-1, keepdim=True) / mask_BT.sum(-1, keepdim=True).clamp(min=1)


def _clipped(objective: Objective, ratios_BR: torch.Tensor, advantages_B1: torch.Tensor) -> torch.Tensor:
    """Minus the lesser of the ratio's and the clipped ratio's gain (PPO, arXiv 1707.06347)."""
    held_BR = ratios_BR.clamp(1 - objective.clip_low, 1 + objective.clip_high)
    gains_BR = torch.minimum(ratios_BR * advantages_B1, held_BR * advantages_B1)
    if objective.dual_clip is None:
        return -gains_BR
    # Of a bad completion that has become likelier, the loss ends at so many times its advantage
    # (Ye et al., arXiv 1912.09729).
    least_B1 = objective.dual_clip * advantages_B1
    return -torch.where(advantages_B1 < 0, torch.maximum(gains_BR, least_B1), gains_BR)


def _k3(reference_BT: torch.Tensor, now_BT: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
    """The divergence from the reference, token by token: never negative, right in the mean.

    It is Schulman's estimator k3 (joschu.net/blog/kl-approx.html), with the policy's gradient.
    """
    differences_BT = reference_BT.masked_fill(~mask_BT, 0.0) - now_BT
    return differences_BT.exp() - differences_BT - 1.0


def _importance_weights(
    cap: float | None, old_BT: torch.Tensor, drawn_BT: torch.Tensor | None, mask_BT: torch.Tensor
) -> torch.Tensor | None:
    """How much likelier a token is here than it was to the engine that drew it, up to a cap."""
    if cap is None or drawn_BT is None:
        return None
    differences_BT = (old_BT.detach() - drawn_BT).masked_fill(~mask_BT, 0.0)
    return differences_BT.nan_to_num(nan=0.0).exp().clamp(max=cap)


def _aggregated(
    objective: Objective, losses_BT: torch.Tensor, mask_BT: torch.Tensor, step: StepSize
) -> torch.Tensor:
    """One number of the losses of tokens, which are 0 outside the mask."""
    if objective.aggregation is Aggregation.GRPO:
        means_B = losses_BT.sum(-1) / mask_BT.sum(-1).clamp(min=1)
        return means_B.sum() / max(step.completions, 1)
    if objective.aggregation is Aggregation.BNPO:
        return losses_BT.sum() / mask_BT.sum().clamp(min=1) / max(step.passes, 1)
    if objective.aggregation is Aggregation.DAPO:
        return losses_BT.sum() / max(step.tokens, 1)
    return losses_BT.sum() / max(step.completions * objective.max_completion_tokens, 1)
