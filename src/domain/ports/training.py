"""What optimises a policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from ..schedule import StepBatch, StepReport, TrainingOutcome, TrainingPlan
from .model import Policy
from .run import Stop

StepListener: TypeAlias = Callable[[StepReport], None]
"""Is told of every optimizer step."""


class PolicyOptimizer(Protocol):
    """Changes a policy's LoRA weights step by step."""

    def optimize(
        self,
        policy: Policy,
        batches: Sequence[StepBatch],
        plan: TrainingPlan,
        *,
        on_step: StepListener,
        stop: Stop,
    ) -> TrainingOutcome:
        """Takes one optimizer step for each of ``batches``.

        The loss of a step is the mean over the trained tokens of all its micro-batches, so that cutting a
        step into more micro-batches does not change the mathematics. When ``stop`` is requested the
        current step is finished and the outcome says so.

        Raises:
            ModelError: M020 when a loss or a gradient is not finite.
        """
        ...
