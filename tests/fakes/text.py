"""A model that answers what it was told to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cesello.domain.conversation import Conversation
from cesello.domain.errors import CeselloError
from cesello.domain.generation import Completion, Sampling


@dataclass
class FakeTextGenerator:
    """Knows prompts by a piece of their last turn.

    Attributes:
        answers: piece -> answer; the first that fits.
        otherwise: its answer to every other.
        failure: raised instead of answering.
        asked: every prompt it was given.
    """

    answers: Mapping[str, str] = field(default_factory=dict)
    otherwise: str = "1"
    failure: CeselloError | None = None
    asked: list[Conversation] = field(default_factory=list)

    def generate(self, prompts: Sequence[Conversation], sampling: Sampling) -> list[Completion]:
        if self.failure:
            raise self.failure
        self.asked += prompts
        return [Completion(self._answer(prompt), 1, True) for prompt in prompts]

    def _answer(self, prompt: Conversation) -> str:
        last = prompt.messages[-1].content
        return next((answer for piece, answer in self.answers.items() if piece in last), self.otherwise)
