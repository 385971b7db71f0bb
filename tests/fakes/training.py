"""An optimiser that only counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cesello.domain.checkpoint import Checkpoint
from cesello.domain.conversation import Conversation
from cesello.domain.generation import Sampling
from cesello.domain.ports.model import Policy
from cesello.domain.ports.run import Stop
from cesello.domain.ports.training import StepListener, TrainingState
from cesello.domain.reward import Attempt
from cesello.domain.schedule import (
    StepBatch,
    StepReport,
    TrainingOutcome,
    TrainingPlan,
    cosine_factor,
)
from cesello.domain.tokens import TokenRow

from .model import FakePolicy

TOO_FAST = 1e6
"""Learning rates from here on lead to losses that are not finite."""


@dataclass(frozen=True)
class FakeTrainingState:
    """The steps that a policy has had."""

    policy: FakePolicy

    @property
    def plain(self) -> Mapping[str, Any]:
        return {"kind": "fake"}

    def agreed(self, figure: float) -> float:
        return figure

    def save(self, folder: Path) -> None:
        (folder / "lora.safetensors").write_text(str(self.policy.trained))
        (folder / "optimizer.safetensors").write_text("nothing")


@dataclass
class FakePolicyOptimizer:
    """Makes a ``FakePolicy`` one step better at every step; a step takes a second.

    Attributes:
        plans: what it was asked to follow, in order.
        starts: from where, in order.
        bad_steps: whose loss is not finite; ``learnt`` what it says it learnt from in those.
        has_passes: whether its steps have any token; those of reinforcement need not.
        prepared: the plans that it set the device up for, in order.
    """

    plans: list[TrainingPlan] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    bad_steps: set[int] = field(default_factory=set)
    learnt: Sequence[TokenRow] = ()
    has_passes: bool = True
    prepared: list[TrainingPlan] = field(default_factory=list)

    def answers(
        self, policy: Policy, prompts: Sequence[Conversation], sampling: Sampling, stop: Stop
    ) -> list[Attempt]:
        said = policy.generate(prompts, sampling)
        return [Attempt(prompt, one.text) for prompt, one in zip(prompts, said, strict=True)]

    def prepare(self, policy: Policy, plan: TrainingPlan) -> None:
        self.prepared.append(plan)

    def optimize(
        self,
        policy: Policy,
        batches: Sequence[StepBatch],
        plan: TrainingPlan,
        *,
        on_step: StepListener,
        stop: Stop,
        start: Checkpoint | None = None,
    ) -> TrainingOutcome:
        policy = _fake(policy)
        self.plans.append(plan)
        done = start.state.step if start else 0
        self.starts.append(done)
        if start:
            self.load_weights(policy, start)
        going_on = True
        while going_on and done < len(batches) and (stop.requested is None):
            report = self._step(policy, batches[done], plan, done)
            done += 1
            policy.trained += not report.skipped
            going_on = on_step(report, FakeTrainingState(policy))
        return TrainingOutcome(done, stop.requested if done < len(batches) else None)

    def load_weights(self, policy: Policy, checkpoint: Checkpoint) -> None:
        _fake(policy).trained = int((checkpoint.path / "lora.safetensors").read_text())

    def _step(self, policy: FakePolicy, batch: StepBatch, plan: TrainingPlan, index: int) -> StepReport:
        rows = [row for micro_batch in batch for row in micro_batch]
        labels = sum(row.trained_tokens for row in rows)
        bad = index + 1 in self.bad_steps or (plan.learning_rate >= TOO_FAST and index > 0)
        loss = float("nan") if bad else policy.loss
        tokens, rate = sum(map(len, rows)) * self.has_passes, learning_rate(plan, index)
        right, learnt = min(policy.trained, labels), self.learnt if bad else ()
        return StepReport(index + 1, loss, rate, 1.0, tokens, labels, 1.0, right=right, learnt=learnt)


def _fake(policy: Policy) -> FakePolicy:
    if not isinstance(policy, FakePolicy):
        raise TypeError(f"FakePolicyOptimizer trains a FakePolicy, not a {type(policy).__name__}")
    return policy


def learning_rate(plan: TrainingPlan, index: int) -> float:
    """A linear ramp that wastes no step, then a cosine."""
    if index < plan.warmup_steps:
        return plan.learning_rate * (1 + index) / (plan.warmup_steps + 1)
    falling = plan.max_steps - plan.warmup_steps
    return plan.learning_rate * cosine_factor(index - plan.warmup_steps, falling, plan.final_learning_rate)


def heard(reports: list[StepReport]) -> StepListener:
    """A listener that keeps what it is told and always goes on."""

    def listen(report: StepReport, state: TrainingState) -> bool:
        reports.append(report)
        return True

    return listen
