"""What judges a completion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..reward import Attempt, Reads, RewardResult


class RewardModel(Protocol):
    """Judges completions: the same completion of the same prompt always gets the same result."""

    @property
    def name(self) -> str:
        """As in the recipe."""
        ...

    @property
    def parts(self) -> tuple[str, ...]:
        """The named parts every applicable result has, in the order a person reads them."""
        ...

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest score it gives, within [-1, 1]."""
        ...

    @property
    def reads(self) -> frozenset[Reads]:
        """What it looks at."""
        ...

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        """How good each completion is, in order.

        Never raises for what a completion holds. A grader that fails gives ``infra_error``.
        """
        ...
