"""An engine that draws from a die of so many sides."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from cesello.domain.generation import Sampling
from cesello.domain.ports.run import Stop
from cesello.domain.rollout import Rollout


@dataclass
class FakeRolloutEngine:
    """Each token is as likely as any other.

    Attributes:
        ends: tokens that end a completion.
        vocabulary: how many tokens there are.
        stop: is asked at every token.
        asked: how many completions it has drawn.
    """

    ends: Sequence[int] = (0,)
    vocabulary: int = 10
    stop: Stop | None = None
    asked: int = 0

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[Sequence[int]],
        sampling: Sampling,
        limits: Sequence[int] | None = None,
    ) -> list[list[Rollout]]:
        room = limits or [sampling.max_new_tokens] * len(prompts)
        return [
            [self._draw(prompt, seed, sampling, most) for seed in its]
            for prompt, its, most in zip(prompts, seeds, room, strict=True)
        ]

    def _draw(self, prompt: Sequence[int], seed: int, sampling: Sampling, most: int) -> Rollout:
        self.asked += 1
        random = Random(f"{list(prompt)} {seed if sampling.temperature else 0}")
        ids = array("i")
        while len(ids) < most and not (ids and ids[-1] in self.ends):
            if self.stop is not None:
                self.stop.check()
            ids.append(random.randrange(self.vocabulary))
        return Rollout(ids, array("f", [-math.log(self.vocabulary)] * len(ids)), ids[-1] in self.ends)
