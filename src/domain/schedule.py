"""The plan of a training: steps, batches, the learning rate's curve, and the report of one step."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import cos, exp, isfinite, pi
from typing import Any, TypeAlias

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
        optimizer: one of ``OPTIMIZERS``.
        skips_nonfinite: a step whose loss or gradient is not finite is left out instead of ending it all.
        deterministic: on a GPU too, the same steps give the same bits; slower.
        strategy: how several processes share the work: auto, ddp or fsdp.
        updates: steps on the same rows, one after the other.
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
    optimizer: str = "adamw"
    skips_nonfinite: bool = False
    deterministic: bool = False
    strategy: str = "auto"
    updates: int = 1
    seed: int = 0

    @property
    def rows_per_step(self) -> int:
        return self.batch_size * self.accumulate


OPTIMIZERS = ("adamw", "adamw_8bit", "paged_adamw", "paged_adamw_8bit")
"""AdamW (Loshchilov and Hutter, arXiv 1711.05101); with moments of 8 bits (Dettmers et al.,
arXiv 2110.02861); with moments that wait in the host's memory where the GPU's is short (arXiv 2305.14314)."""

SKIPS_IN_A_ROW = 3
"""So many steps may be left out one after the other before the training ends."""

SPLITS = 3
"""So often are forward passes halved when the memory does not suffice."""


def stream_seed(seed: int, *parts: object) -> int:
    """A seed of 63 bits for one use of one step: draws depend on nothing that was drawn before.

    Args:
        parts: step, forward pass, and what it is for.
    """
    text = "/".join(map(str, (seed, *parts)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def cosine_factor(step: int, total: int, final: float) -> float:
    """The cosine's share of the peak at ``step`` of ``total`` (Loshchilov and Hutter, arXiv 1608.03983)."""
    return final + (1 - final) * (1 + cos(pi * min(step / max(total, 1), 1.0))) / 2


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one optimizer step did.

    Attributes:
        step: from 1.
        loss: mean cross-entropy over the step's trained tokens, in nats.
        gradient_norm: before clipping.
        right: trained tokens to which the model gave the highest probability; None where nobody counted.
        seconds: wall time of the step; ``elapsed`` with what came between it and the last one.
        splits: how often the forward passes were halved so far, for want of memory.
        memory: bytes that the device holds at most so far.
        roofline: the share of what the device could do at most: tokens per second times four operations per
            weight and token, over its measured peak in matrix products.
        figures: what else an algorithm has to tell of the step, the same whenever it is run again.
        phases: those seconds by what they went to, where there is more than one thing.
        completions: what the step drew, to be kept; ``pieces`` the tokens of some of it.
        learnt: the rows that were learnt from, of a step that was left out, where they are not its batch's.
    """

    step: int
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens: int
    trained_tokens: int
    seconds: float
    right: int | None = None
    elapsed: float = 0.0
    splits: int = 0
    memory: int | None = None
    roofline: float | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    phases: Mapping[str, float] = field(default_factory=dict)
    completions: Sequence[Mapping[str, Any]] = ()
    pieces: Sequence[Mapping[str, Any]] = ()
    learnt: Sequence[TokenRow] = ()

    @property
    def skipped(self) -> bool:
        """Whether the weights were left as they were, since loss or gradient are not finite."""
        return not (isfinite(self.loss) and isfinite(self.gradient_norm))

    @property
    def perplexity(self) -> float:
        return perplexity(self.loss)

    @property
    def token_accuracy(self) -> float | None:
        return None if self.right is None else self.right / max(self.trained_tokens, 1)

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds if self.seconds > 0 else 0.0


def perplexity(loss: float) -> float:
    """exp of a cross-entropy in nats; infinite where that overflows."""
    return exp(loss) if loss < 700 else float("inf")


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """What a training came to.

    Attributes:
        steps: that were done, those of before a resume included.
        stopped_by: the signal that ended it early, if one did.
    """

    steps: int
    stopped_by: int | None = None
