from __future__ import annotations

from typing import Any

import pytest

from cesello.adapters.reward.length_reward import LengthReward
from cesello.domain.conversation import user
from cesello.domain.errors import UsageError
from cesello.domain.reward import Attempt


@pytest.mark.parametrize(
    ("completion", "value", "reasons"),
    [
        ("", -1, ("too_short",)),
        ("one", -0.5, ("too_short",)),
        ("one two three four", 1, ()),
        ("a b c d e f g h", 1, ()),
        ("a b c d e f g h i j k l", 0, ("too_long",)),
        ("a " * 100, -1, ("too_long",)),
    ],
)
def test_words(completion: str, value: float, reasons: tuple[str, ...]) -> None:
    [result] = LengthReward(shortest=4, longest=8).score([Attempt(user("Go on."), completion)])
    assert result.score == pytest.approx(value)
    assert result.reasons == reasons


def test_characters() -> None:
    reward = LengthReward(shortest=2, longest=4, unit="characters")
    results = reward.score([Attempt(user("Go on."), text) for text in ("", "a", "abc", "abcdef", "a" * 8)])
    assert [result.score for result in results] == pytest.approx([-1, 0, 1, 0, -1])


@pytest.mark.parametrize("options", [{"shortest": 0}, {"shortest": 9, "longest": 8}, {"unit": "tokens"}])
def test_a_length_that_is_not_possible_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="C082"):
        LengthReward(**options)
