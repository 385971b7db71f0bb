"""Sums over trained tokens that add up over forward passes and processes, and the step's figures they make.

Everything stays on the device until the figures are asked for, once a step. Shapes: B completions, T tokens,
R is T or, where a completion has one ratio, 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

import torch

from ...domain.objective import Objective, ObjectiveFigures

_ADDED = (
    "tokens", "ratios", "low", "high", "dual",
    "kl", "kl_tokens", "entropy", "entropy_tokens", "weight", "weight_tokens", "cut", "cut_tokens",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PolicySums:
    """Of one forward pass, or of several.

    Attributes:
        added: sums in the order of ``_ADDED``, float64.
        least: the least ratio; ``most`` the greatest.
    """

    added: torch.Tensor
    least: torch.Tensor
    most: torch.Tensor

    @classmethod
    def none(cls, device: torch.device) -> PolicySums:
        """Of no forward pass."""
        added = torch.zeros(len(_ADDED), dtype=torch.float64, device=device)
        return cls(added, added.new_tensor(inf), added.new_tensor(-inf))

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        objective: Objective,
        ratios_BR: torch.Tensor,
        mask_BT: torch.Tensor,
        advantages_B: torch.Tensor,
        *,
        divergences_BT: torch.Tensor | None,
        entropies_BT: torch.Tensor | None,
        weights_BT: torch.Tensor | None,
    ) -> PolicySums:
        """Of one forward pass."""
        counted_BR = mask_BT if ratios_BR.shape == mask_BT.shape else mask_BT.any(-1, keepdim=True)
        bad_BR, good_BR = (counted_BR & sign[:, None] for sign in (advantages_B < 0, advantages_B > 0))
        dual, cap = objective.dual_clip or inf, objective.importance_cap or inf
        cut_BT = None if weights_BT is None else weights_BT >= cap
        parts = [
            mask_BT.sum(),
            counted_BR.sum(),
            (bad_BR & (ratios_BR < 1 - objective.clip_low)).sum(),
            (good_BR & (ratios_BR > 1 + objective.clip_high)).sum(),
            (bad_BR & (ratios_BR > dual)).sum(),
        ]
        for values_BT in (divergences_BT, entropies_BT, weights_BT, cut_BT):
            parts += _sum_and_count(values_BT, mask_BT)
        ratios = ratios_BR[counted_BR].double()
        ends = ratios.aminmax() if len(ratios) else (ratios.new_tensor(inf), ratios.new_tensor(-inf))
        return cls(torch.stack([part.double() for part in parts]), *ends)

    def __add__(self, other: PolicySums) -> PolicySums:
        least, most = torch.minimum(self.least, other.least), torch.maximum(self.most, other.most)
        return PolicySums(self.added + other.added, least, most)

    def figures(self) -> ObjectiveFigures:
        """Of everything summed up; waits for the device."""
        *added, least, most = torch.cat([self.added, self.least[None], self.most[None]]).tolist()
        of: dict[str, float] = dict(zip(_ADDED, added, strict=True))
        ratios = max(of["ratios"], 1.0)
        return ObjectiveFigures(
            tokens=int(of["tokens"]),
            clipped_low=of["low"] / ratios,
            clipped_high=of["high"] / ratios,
            dual_clipped=of["dual"] / ratios,
            ratio_least=least if of["ratios"] else 1.0,
            ratio_most=most if of["ratios"] else 1.0,
            entropy=_mean(of, "entropy"),
            kl=_mean(of, "kl"),
            weight=_mean(of, "weight"),
            weights_cut=_mean(of, "cut"),
        )


def _sum_and_count(values_BT: torch.Tensor | None, mask_BT: torch.Tensor) -> list[torch.Tensor]:
    if values_BT is None:
        return [mask_BT.new_zeros((), dtype=torch.float64)] * 2
    return [values_BT.double().masked_fill(~mask_BT, 0.0).sum(), mask_BT.sum()]


def _mean(of: Mapping[str, float], name: str) -> float | None:
    """None where there was nothing to sum up."""
    return of[name] / of[f"{name}_tokens"] if of[f"{name}_tokens"] else None
