"""A reward that counts words."""

from __future__ import annotations

from cesello.domain.conversation import Conversation
from cesello.domain.reward import RewardResult


class FakeRewardModel:
    """Likes completions that are more than one word; does not apply to a prompt without reference calls."""

    name = "fake"
    parts = ("some_word", "two_words")

    def score(self, prompt: Conversation, completion: str) -> RewardResult:
        if not prompt.reference.get("calls"):
            return RewardResult(None, reasons=("no_reference",))
        words = len(completion.split())
        some, two = float(words > 0), float(words > 1)
        return RewardResult((some + two) / 2, {"some_word": some, "two_words": two})
