"""Rewards by name, ready made."""

from __future__ import annotations

from collections.abc import Iterable

from cesello.domain.errors import UsageError
from cesello.domain.ports.reward import RewardModel
from tests.fakes.reward import FakeRewardModel


class FakeRewards:
    """Those it is given.

    Args:
        refusing: what ``check`` raises.

    Attributes:
        checked: the names that were asked about.
        closed: how often it was closed.
    """

    def __init__(self, *rewards: RewardModel, refusing: Exception | None = None) -> None:
        self._rewards = {reward.name: reward for reward in rewards or (FakeRewardModel(),)}
        self._refusing = refusing
        self.checked: list[str] = []
        self.closed = 0

    def __getitem__(self, name: str) -> RewardModel:
        if name not in self._rewards:
            raise UsageError("C009", f'no reward is called "{name}"')
        return self._rewards[name]

    def check(self, names: Iterable[str]) -> None:
        for name in names:
            self.checked.append(self[name].name)
        if self._refusing:
            raise self._refusing

    def close(self) -> None:
        self.closed += 1
