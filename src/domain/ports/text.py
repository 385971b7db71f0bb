"""Who answers prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..conversation import Conversation
from ..generation import Completion, Sampling


class TextGenerator(Protocol):
    """A model that answers, wherever it runs; a policy is one."""

    def generate(self, prompts: Sequence[Conversation], sampling: Sampling) -> Sequence[Completion]:
        """One completion a prompt, in the prompts' order.

        Raises:
            RetryableError: T090 when it cannot be reached or is too busy.
            ModelError: M090 when it answers something else than a completion.
        """
        ...
