"""What is evaluated: losses on held-out rows, graded answers, samples to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isnan


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
        rows: held-out rows a source that the loss is taken on, at most; None takes all. Graded answers and
            samples have numbers of their own.
        samples: answers kept to be read, a source.
        max_new_tokens: of every answer.
        every_steps: how often it is evaluated while it is trained; None: before and after only.
        patience: the training ends after so many evaluations without an improvement of at least
            ``least_improvement`` in the held-out loss; None: never for that.
    """

    rows: int | None = None
    batch_size: int = 8
    samples: int = 3
    max_new_tokens: int = 96
    graded: tuple[GradedSpec, ...] = ()
    every_steps: int | None = None
    patience: int | None = None
    least_improvement: float = 0.0

    def rows_of(self, source: str) -> int | None:
        """Held-out rows of a source that anything is measured on; None: all."""
        if self.rows is None:
            return None
        return max(self.rows, self.samples, *(one.rows for one in self.graded if one.source == source))

    def is_due(self, step: int) -> bool:
        """Whether to evaluate after that step."""
        return self.every_steps is not None and step > 0 and step % self.every_steps == 0

    def has_settled(self, losses: Sequence[float]) -> bool:
        """Whether the last ``patience`` of these held-out losses brought nothing over those before them."""
        if self.patience is None or len(losses) <= self.patience:
            return False
        known = [inf if isnan(loss) else loss for loss in losses]
        before, since = known[: -self.patience], known[-self.patience :]
        return min(since) > min(before) - self.least_improvement or min(since) >= min(before)
