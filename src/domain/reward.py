"""The result of judging one completion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RewardResult:
    """How good a completion is.

    Attributes:
        score: in [-1, 1], or None where the reward does not apply to the prompt: that is not a zero.
        parts: named components, each in [-1, 1].
        reasons: short codes that say why, for people and for prompt search.
    """

    score: float | None
    parts: Mapping[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()


def part_totals(results: Sequence[RewardResult]) -> dict[str, float]:
    """The sum of every part over the results that have it."""
    totals: dict[str, float] = {}
    for result in results:
        for name, value in result.parts.items():
            totals[name] = totals.get(name, 0.0) + value
    return totals
