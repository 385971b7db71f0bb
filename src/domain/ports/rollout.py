"""What draws completions for training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..generation import Sampling
from ..rollout import Rollout


class RolloutEngine(Protocol):
    """Draws several completions of each prompt from the policy as it is now."""

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[Sequence[int]],
        sampling: Sampling,
        limits: Sequence[int] | None = None,
    ) -> list[list[Rollout]]:
        """A group of completions for each prompt, in order.

        A completion depends on its prompt, its seed and the policy alone, not on what is drawn beside it.

        Args:
            prompts: token ids.
            seeds: of each prompt, one for each of its completions; ``sampling.seed`` is not used.
            limits: of each prompt, how many tokens its completions may have; None: all of them
                ``sampling.max_new_tokens``, above which none may be.

        Raises:
            Interrupted: a stop was requested; nothing of it is kept.
        """
        ...
