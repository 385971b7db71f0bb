"""Completions drawn for training on: tokens in, tokens out."""

from __future__ import annotations

from array import array
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rollout:
    """One completion of a prompt, as it was drawn. Nothing is ever tokenised again.

    Attributes:
        ids: its tokens, the end of turn included where it ended itself, shape [T].
        log_probs: of each token under the policy that drew it, at the sampling temperature, in nats,
            shape [T].
        finished: False where the limit of new tokens cut it off.
        trained: 1 where the policy drew the token, 0 where it came from elsewhere, as what a tool answered;
            ``log_probs`` are 0 there. Shape [T]; all 1 where nothing is said.
    """

    ids: array[int]
    log_probs: array[float]
    finished: bool
    trained: bytes = b""

    def __post_init__(self) -> None:
        object.__setattr__(self, "trained", self.trained or b"\1" * len(self.ids))

    def __len__(self) -> int:
        return len(self.ids)

    def first(self, most: int) -> Rollout:
        """As it would have come with that limit of new tokens."""
        if len(self) <= most:
            return self
        return Rollout(self.ids[:most], self.log_probs[:most], False, self.trained[:most])
