"""What optimises a policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..checkpoint import Checkpoint
from ..conversation import Conversation
from ..generation import Sampling
from ..reward import Attempt
from ..schedule import StepBatch, StepReport, TrainingOutcome, TrainingPlan
from .model import Policy
from .run import Stop


class TrainingState(Protocol):
    """A training as it is after the last step that was done."""

    @property
    def plain(self) -> Mapping[str, Any]:
        """What is needed to go on besides tensors: numbers and names, as JSON has them."""
        ...

    def agreed(self, figure: float) -> float:
        """The first process's figure, so that all of them decide alike."""
        ...

    def save(self, folder: Path) -> None:
        """Writes ``lora.safetensors`` and ``optimizer.safetensors``.

        Where several processes train, all of them must call it; one writes.
        """
        ...


class StepListener(Protocol):
    """Is told of every optimizer step."""

    def __call__(self, report: StepReport, state: TrainingState) -> bool:
        """Called between two steps; returns whether to go on."""
        ...


class PolicyOptimizer(Protocol):
    """Changes a policy's LoRA weights step by step."""

    def prepare(self, policy: Policy, plan: TrainingPlan) -> None:
        """Sets the device up as the plan wants it, before anything is computed that must come out again."""
        ...

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
        """Takes one optimizer step for each of ``batches``, from the start's step on.

        The loss of a step is the mean over the trained tokens of all its micro-batches, so that cutting a
        step into more micro-batches does not change the mathematics. A step whose loss or gradient is not
        finite leaves the weights as they are, and its report says so. When ``stop`` is requested, a step
        that has begun is given up; the state remains that of the last step that was done.

        The same start gives the same steps to the bit, on the same number of processes.

        Raises:
            ModelError: M021 when the memory does not suffice even for passes of one row.
        """
        ...

    def answers(
        self, policy: Policy, prompts: Sequence[Conversation], sampling: Sampling, stop: Stop
    ) -> Sequence[Attempt]:
        """What the policy answers as it is trained to: where it may call tools, these are run."""
        ...

    def load_weights(self, policy: Policy, checkpoint: Checkpoint) -> None:
        """Gives the policy the LoRA weights of a checkpoint."""
        ...
