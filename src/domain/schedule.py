"""The plan of a training: steps, batches, the learning rate's curve, and the report of one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, exp, pi
from typing import TypeAlias

from .tokens import TokenRow

MicroBatch: TypeAlias = Sequence[TokenRow]
"""Rows of one forward pass."""

StepBatch: TypeAlias = Sequence[MicroBatch]
"""Micro-batches of one optimizer step; the loss is normalised by the trained tokens of all of them."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How the weights are optimised.

    Attributes:
        max_steps: optimizer steps.
        batch_size: rows of one forward pass; ``accumulate`` of those make a step.
        learning_rate: the peak, reached after ``warmup_steps``; a cosine falls from it to
            ``final_learning_rate`` times the peak.
        gradient_clip: largest norm of the gradient.
        padded: rows of a forward pass are padded to one width instead of laid end to end.
        tight_memory: a CPU's allocator is to give back at once what is not in use.
    """

    max_steps: int
    batch_size: int = 4
    accumulate: int = 1
    learning_rate: float = 2e-4
    weight_decay: float = 0.01
    warmup_steps: int = 0
    final_learning_rate: float = 0.0
    gradient_clip: float = 1.0
    gradient_checkpointing: bool = False
    activation_offload: bool = False
    padded: bool = False
    tight_memory: bool = False
    seed: int = 0

    @property
    def rows_per_step(self) -> int:
        return self.batch_size * self.accumulate


def cosine_factor(step: int, total: int, final: float) -> float:
    """The cosine's share of the peak at ``step`` of ``total`` (Loshchilov and Hutter, arXiv 1608.03983)."""
    return final + (1 - final) * (1 + cos(pi * min(step / max(total, 1), 1.0))) / 2


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one optimizer step did.

    Attributes:
        loss: mean cross-entropy over the step's trained tokens, in nats.
        gradient_norm: before clipping.
        tokens_per_second: all tokens of the step over its wall time.
    """

    step: int
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens: int
    trained_tokens: int
    seconds: float

    @property
    def perplexity(self) -> float:
        return perplexity(self.loss)

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds if self.seconds > 0 else 0.0


def perplexity(loss: float) -> float:
    """exp of a cross-entropy in nats; infinite where that overflows."""
    return exp(loss) if loss < 700 else float("inf")


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """What a training came to: steps done, and the signal that ended it early, if one did."""

    steps: int
    seconds: float
    tokens: int
    final_loss: float | None
    stopped_by: int | None = None
