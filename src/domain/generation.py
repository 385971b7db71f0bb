"""How a completion is drawn, and what came."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen.

    Attributes:
        temperature: 0 is greedy: always the likeliest token.
        top_p: keep the likeliest tokens that together have this probability.
    """

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model wrote after a prompt.

    Attributes:
        tokens: how many tokens it took, the end of turn included.
        finished: False where ``max_new_tokens`` cut it off.
    """

    text: str
    tokens: int
    finished: bool


@dataclass(frozen=True, slots=True)
class LossTotal:
    """A sum of cross-entropies and the number of tokens it is over; totals add up."""

    nats: float = 0.0
    tokens: int = 0

    def __add__(self, other: LossTotal) -> LossTotal:
        return LossTotal(self.nats + other.nats, self.tokens + other.tokens)

    @property
    def mean(self) -> float:
        """Nats per token."""
        return self.nats / self.tokens if self.tokens else 0.0
