"""Several rewards as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...domain.ports.reward import RewardModel
from ...domain.reward import Attempt, Blend, Reads, RewardResult, blended


class BlendedReward:
    """Asks every reward about every completion, and blends what they say (see ``domain.reward.Blend``).

    The parts of a result are the scores of the rewards that apply to the row, by name: which these are
    differs from row to row, so that no part is promised.

    Args:
        rewards: at least one, by name.
        weights: of every reward; one of weight 0 is not asked.
    """

    name = "blend"
    parts: tuple[str, ...] = ()

    def __init__(
        self, rewards: Mapping[str, RewardModel], weights: Mapping[str, float], blend: Blend = Blend.MEAN
    ) -> None:
        self._rewards = {name: reward for name, reward in rewards.items() if weights[name]}
        self._weights = dict(weights)
        self._blend = blend

    @property
    def range(self) -> tuple[float, float]:
        """Whichever of the rewards apply to a row."""
        ends = [self._weighted(name, reward) for name, reward in self._rewards.items()]
        if self._blend is Blend.MEAN:
            return min((low for low, _ in ends), default=0.0), max((high for _, high in ends), default=0.0)
        low, high = sum(min(low, 0.0) for low, _ in ends), sum(max(high, 0.0) for _, high in ends)
        return max(-1.0, low), min(1.0, high)

    @property
    def reads(self) -> frozenset[Reads]:
        """What any of them looks at."""
        return frozenset[Reads]().union(*(reward.reads for reward in self._rewards.values()))

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        """See the port."""
        by_name = {name: reward.score(attempts) for name, reward in self._rewards.items()}
        rows = ({name: results[at] for name, results in by_name.items()} for at in range(len(attempts)))
        return [blended(row, self._weights, self._blend) for row in rows]

    def _weighted(self, name: str, reward: RewardModel) -> tuple[float, float]:
        """The ends of what it adds; of a mean the weight is divided out again, its sign not."""
        weight = self._weights[name]
        factor = weight if self._blend is Blend.SUM else (1.0 if weight > 0 else -1.0)
        low, high = sorted(factor * end for end in reward.range)
        return low, high
