"""What is evaluated: losses on held-out rows, graded answers, samples to read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GradedSpec:
    """Answers to the held-out prompts of a source, graded by a reward."""

    source: str
    reward: str
    rows: int


@dataclass(frozen=True, slots=True)
class EvaluationSpec:
    """How a policy is evaluated.

    Attributes:
        rows: held-out rows a source, at most; None takes all.
        samples: answers kept to be read, a source.
        max_new_tokens: of every answer.
    """

    rows: int | None = None
    batch_size: int = 8
    samples: int = 3
    max_new_tokens: int = 96
    graded: tuple[GradedSpec, ...] = ()
