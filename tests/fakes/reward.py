"""A reward that counts words."""

from __future__ import annotations

from collections.abc import Sequence

from cesello.domain.reward import Attempt, Reads, RewardResult


class FakeRewardModel:
    """Likes completions that are more than one word; does not apply to a prompt without reference calls."""

    name = "fake"
    parts = ("some_word", "two_words")
    range = (0.0, 1.0)
    reads = frozenset({Reads.COMPLETION, Reads.REFERENCE})

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        return [self._score(attempt) for attempt in attempts]

    def _score(self, attempt: Attempt) -> RewardResult:
        if not attempt.prompt.reference.get("calls"):
            return RewardResult(None, reasons=("no_reference",))
        words = len(attempt.completion.split())
        some, two = float(words > 0), float(words > 1)
        return RewardResult((some + two) / 2, {"some_word": some, "two_words": two})
