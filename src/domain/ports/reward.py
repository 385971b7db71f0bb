"""What judges a completion."""

from __future__ import annotations

from typing import Protocol

from ..conversation import Conversation
from ..reward import RewardResult


class RewardModel(Protocol):
    """Judges one completion of one prompt, deterministically."""

    @property
    def name(self) -> str:
        """As in the recipe."""
        ...

    @property
    def parts(self) -> tuple[str, ...]:
        """The named parts every applicable result has, in the order a person reads them."""
        ...

    def score(self, prompt: Conversation, completion: str) -> RewardResult:
        """How good the completion is; ``prompt.reference`` holds what the grader may know."""
        ...
