"""A run: one training, what went in, what came out, and whether it is whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .footprint import Footprint
from .mixture_manifest import MixtureManifest
from .model_spec import PolicyFacts
from .schedule import perplexity


class RunStatus(StrEnum):
    """A run is whole only when it is ``completed``."""

    RUNNING = "running"
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SourceLoss:
    """Loss on the held-out rows of one source, in nats per trained token."""

    rows: int
    tokens: int
    loss: float

    @property
    def perplexity(self) -> float:
        return perplexity(self.loss)


@dataclass(frozen=True, slots=True)
class GradedSet:
    """Answers to held-out prompts, graded: how many of ``rows`` reached each part of the reward."""

    reward: str
    rows: int
    parts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Sample:
    """One prompt and the answer to it, kept to be read."""

    source: str
    prompt: str
    completion: str
    expected: str
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Held-out figures by source, and answers to read."""

    losses: Mapping[str, SourceLoss]
    graded: Mapping[str, GradedSet]
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True)
class RunManifest:
    """All that is known of a run; written when it starts and rewritten as it goes.

    Attributes:
        started, finished: ISO 8601, UTC.
        recipe_sha256: of the resolved recipe beside it.
        footprint: the memory it was predicted to take.
        weights: sha256 of every file of the LoRA weights, by name.
        error: the sentence that ended a failed run.
    """

    id: str
    name: str
    algorithm: str
    status: RunStatus
    started: str
    recipe_sha256: str
    seed: int
    versions: Mapping[str, str]
    machine: str
    finished: str | None = None
    steps: int = 0
    planned_steps: int = 0
    seconds: float = 0.0
    final_loss: float | None = None
    model: PolicyFacts | None = None
    footprint: Footprint | None = None
    data: MixtureManifest | None = None
    before: Evaluation | None = None
    after: Evaluation | None = None
    weights: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A line of ``cesello runs list``."""

    id: str
    name: str
    status: RunStatus
    started: str
    model: str | None
    steps: int
    planned_steps: int
    path: str
    manifest: Mapping[str, Any] = field(default_factory=dict)
