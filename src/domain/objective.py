"""The objective of reinforcement, and what one step's figures of it are.

GRPO (Shao et al., arXiv 2402.03300) and what was changed in it since: DAPO (arXiv 2503.14476), Dr. GRPO
(arXiv 2503.20783), GSPO (arXiv 2507.18071). The same name means different formulas in different libraries, so
``objective_text`` says which one this is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Aggregation(StrEnum):
    """How the losses of tokens become one number."""

    GRPO = "grpo"
    """The mean over completions of the mean over their tokens."""
    BNPO = "bnpo"
    """The mean over the tokens of one forward pass, then over the passes."""
    DAPO = "dapo"
    """The mean over all tokens of the step."""
    DR_GRPO = "dr_grpo"
    """The sum over completions and ``max_completion_tokens`` of each: a constant."""


class Ratio(StrEnum):
    """Of what the probability now and the probability when it was drawn are compared."""

    TOKEN = "token"
    SEQUENCE = "sequence"
    """The completion as a whole, as the geometric mean over its tokens (GSPO)."""


class Scale(StrEnum):
    """By which standard deviation an advantage is divided."""

    GROUP = "group"
    BATCH = "batch"
    NONE = "none"
    """By none (Dr. GRPO)."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What reinforcement minimises.

    Attributes:
        clip_low: the ratio is held above 1 - ``clip_low``, and below 1 + ``clip_high``.
        dual_clip: a ratio larger than this counts as this where the advantage is negative; more than
            1 + ``clip_high``. None: no such limit.
        beta: weight of the divergence from the reference; 0 needs no reference.
        weighs_divergence: the divergence is multiplied by the ratio, with whose gradient it has that of the
            reverse KL divergence (DeepSeek-V3.2, arXiv 2512.02556); by itself k3 has the forward one's.
        epsilon: added to the standard deviation that divides an advantage.
        masks_overlong: a completion that the limit of tokens cut off is not trained on.
        skips_dead: a group whose rewards are all equal is left out of the update.
        updates: optimizer steps on every rollout.
        max_completion_tokens: the limit of a completion.
        importance_cap: where another engine drew the tokens, its error is corrected by weights of at most
            this (truncated importance sampling, Espeholt et al., arXiv 1802.01561). None: not corrected.
    """

    aggregation: Aggregation = Aggregation.DAPO
    ratio: Ratio = Ratio.TOKEN
    clip_low: float = 0.2
    clip_high: float = 0.28
    dual_clip: float | None = None
    scale: Scale = Scale.GROUP
    beta: float = 0.0
    weighs_divergence: bool = False
    epsilon: float = 1e-4
    masks_overlong: bool = True
    skips_dead: bool = True
    updates: int = 1
    max_completion_tokens: int = 256
    importance_cap: float | None = 2.0

    @property
    def needs_reference(self) -> bool:
        return self.beta != 0

    @property
    def needs_old(self) -> bool:
        """Whether log-probabilities of before the update are needed: after one update they have changed."""
        return self.updates > 1

    def trains_on(self, *, finished: bool) -> bool:
        """Whether a completion's tokens count in the loss, by how it ended."""
        return finished or not self.masks_overlong


@dataclass(frozen=True, slots=True)
class StepSize:
    """What the losses of one optimizer step are divided by, whichever forward passes it is cut into.

    Attributes:
        completions: of the step, those included of which nothing is trained on.
        tokens: trained ones of all of them.
        passes: forward passes; only ``bnpo`` depends on them.
    """

    completions: int
    tokens: int
    passes: int = 1


@dataclass(frozen=True, slots=True)
class ObjectiveFigures:
    """How one optimizer step's tokens stood to the policy that drew them, and to the reference.

    Attributes:
        clipped_low: the share of ratios too low, with a negative advantage: they have no gradient.
        clipped_high: the share too high, with a positive one.
        dual_clipped: the share beyond ``dual_clip``, with a negative one.
        ratio_least: and ``ratio_most``, of all ratios of trained tokens.
        entropy: mean over trained tokens, in nats.
        kl: mean divergence from the reference by k3, in nats; None without a reference.
        weight: mean importance weight; None where nothing is corrected. ``weights_cut`` is the share of
            weights cut off at the cap.
    """

    tokens: int
    clipped_low: float
    clipped_high: float
    dual_clipped: float
    ratio_least: float
    ratio_most: float
    entropy: float | None
    kl: float | None
    weight: float | None
    weights_cut: float | None
