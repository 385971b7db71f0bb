"""An optimiser that only counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cesello.domain.errors import ModelError
from cesello.domain.ports.model import Policy
from cesello.domain.ports.run import Stop
from cesello.domain.ports.training import StepListener
from cesello.domain.schedule import (
    StepBatch,
    StepReport,
    TrainingOutcome,
    TrainingPlan,
    cosine_factor,
)

from .model import FakePolicy

TOO_FAST = 1e6
"""Learning rates from here on lead to losses that are not finite."""


@dataclass
class FakePolicyOptimizer:
    """Makes a ``FakePolicy`` one step better at every step; a step takes a second.

    Attributes:
        plans: what it was asked to follow, in order.
    """

    plans: list[TrainingPlan] = field(default_factory=list)

    def optimize(
        self,
        policy: Policy,
        batches: Sequence[StepBatch],
        plan: TrainingPlan,
        *,
        on_step: StepListener,
        stop: Stop,
    ) -> TrainingOutcome:
        self.plans.append(plan)
        if not isinstance(policy, FakePolicy):
            raise TypeError(f"FakePolicyOptimizer trains a FakePolicy, not a {type(policy).__name__}")
        reports: list[StepReport] = []
        for index, batch in enumerate(batches):
            if plan.learning_rate >= TOO_FAST and index:
                what = "the loss or its gradient is not finite"
                raise ModelError("M020", what, where=f"step {index + 1}", fix="lower the learning rate")
            rows = [row for micro_batch in batch for row in micro_batch]
            labels = sum(row.trained_tokens for row in rows)
            rate = learning_rate(plan, index)
            reports.append(StepReport(index + 1, policy.loss, rate, 1.0, sum(map(len, rows)), labels, 1.0))
            policy.trained += 1
            on_step(reports[-1])
            if stop.requested is not None:
                break
        return TrainingOutcome(
            steps=len(reports),
            seconds=float(len(reports)),
            tokens=sum(report.tokens for report in reports),
            final_loss=reports[-1].loss if reports else None,
            stopped_by=stop.requested if len(reports) < len(batches) else None,
        )


def learning_rate(plan: TrainingPlan, index: int) -> float:
    """A linear ramp that wastes no step, then a cosine."""
    if index < plan.warmup_steps:
        return plan.learning_rate * (1 + index) / (plan.warmup_steps + 1)
    falling = plan.max_steps - plan.warmup_steps
    return plan.learning_rate * cosine_factor(index - plan.warmup_steps, falling, plan.final_learning_rate)
