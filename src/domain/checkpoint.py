"""When a training is saved on its way, which states are kept, and whether one can be gone on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class CheckpointPlan:
    """When and how many.

    Attributes:
        every_steps, every_minutes: whichever comes first; None: not by that measure.
        keep_last: the newest so many.
        keep_best: and so many with the lowest held-out loss.
        ends_with_best: the run ends with the weights of the best one instead of the last ones.
    """

    every_steps: int | None = None
    every_minutes: float | None = 10.0
    keep_last: int = 2
    keep_best: int = 1
    ends_with_best: bool = False

    def is_due(self, step: int, seconds: float) -> bool:
        """Whether to save after ``step``, ``seconds`` after what was saved last."""
        by_steps = self.every_steps is not None and step % self.every_steps == 0
        return by_steps or (self.every_minutes is not None and seconds >= 60 * self.every_minutes)


@dataclass(frozen=True, slots=True)
class LogMark:
    """How long a log was when a checkpoint was made, in bytes, and the sha256 of it until there."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class CheckpointState:
    """All of a checkpoint but the tensors.

    Attributes:
        step: optimizer steps done.
        held_out: the loss on held-out rows at this step, where it was taken.
        optimizer: what the optimiser wrote beside its tensors, plain data.
        identity: what must be the same for the training to go on exactly, by name.
        logs: of every log, by file name.
        progress: what the use case counts: tokens, seconds, evaluations.
    """

    step: int
    held_out: float | None
    optimizer: Mapping[str, Any]
    identity: Mapping[str, str]
    logs: Mapping[str, LogMark] = field(default_factory=dict)
    progress: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint whose every byte is as it was written: its folder, and what it says."""

    path: Path
    state: CheckpointState


def kept(checkpoints: Sequence[tuple[int, float | None]], plan: CheckpointPlan) -> set[int]:
    """The steps of the checkpoints that stay: the newest, and those with the lowest held-out loss.

    Args:
        checkpoints: step and held-out loss of each.
    """
    newest = sorted((step for step, _ in checkpoints), reverse=True)[: max(plan.keep_last, 1)]
    measured = [(loss, step) for step, loss in checkpoints if loss is not None]
    return {*newest, *(step for _, step in sorted(measured)[: plan.keep_best])}


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it was when a checkpoint was made."""

    name: str
    stored: str | None
    now: str | None


GENERATION = "memory generation"
"""Grows with every change of the memory, also with one that is taken back: it is kept and never compared."""


def differences(stored: Mapping[str, str], now: Mapping[str, str]) -> list[Difference]:
    """What differs, by name."""
    names = sorted(stored.keys() | now.keys())
    return [
        Difference(name, stored.get(name), now.get(name))
        for name in names
        if stored.get(name) != now.get(name) and name != GENERATION
    ]
