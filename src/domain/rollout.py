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
    """

    ids: array[int]
    log_probs: array[float]
    finished: bool

    def __len__(self) -> int:
        return len(self.ids)
