"""The rewards a run may use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from .reward import RewardModel


class Rewards(Protocol):
    """Rewards by name, each made when it is first asked for."""

    def __getitem__(self, name: str) -> RewardModel:
        """The reward of that name.

        Raises:
            UsageError: C009 when there is none, or what its making has to say.
        """
        ...

    def check(self, names: Iterable[str]) -> None:
        """Makes sure that these can judge here, before hours are spent on what is to be judged.

        Raises:
            SandboxError: X001 when one of them runs programs and nothing can hold them here.
            UsageError: one of them cannot be made.
        """
        ...

    def close(self) -> None:
        """Ends all processes that judge; they can be used again."""
        ...
