"""What a chat answer gains and loses; flattery and padding gain nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.adapters.reward.chat_reward import ChatReward
from cesello.domain.conversation import Conversation, Message, Role, user
from cesello.domain.errors import UsageError
from cesello.domain.reward import Attempt, RewardResult

QUESTION = "Which of the two is the better for this, a list or a set, and what is the reason?"
ANSWER = "A set is better for this, since you only ask whether an item is in it and that takes no search."
ITALIAN = (
    "Un insieme è la scelta migliore, perché la ricerca di un elemento non richiede di scorrere gli altri."
)
WITH_TEXT = Conversation((Message(Role.USER, QUESTION),), reference={"text": ANSWER})
FLATTERY = [
    "What a great question!",
    "You are absolutely right.",
    "I hope this helps!",
    "Feel free to ask more.",
]


def score(answer: str, prompt: Conversation | None = None, reward: ChatReward | None = None) -> RewardResult:
    [result] = (reward or ChatReward(shortest=12, longest=60)).score(
        [Attempt(prompt or user(QUESTION), answer)]
    )
    return result


def value(answer: str, prompt: Conversation | None = None) -> float:
    result = score(answer, prompt).score
    assert result is not None
    return result


def test_a_sensible_answer_has_all_of_it() -> None:
    result = score(ANSWER)
    assert (result.score, result.reasons) == (1.0, ("no_reference_text",))
    assert dict(result.parts) == {"length": 1, "repetition": 1, "language": 1, "overlap": 0}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "low_length"),
        ("A set.", "low_length"),
        (ANSWER * 30, "low_length"),
        ("A set is best. " * 3, "low_repetition"),
        (ITALIAN, "low_language"),
    ],
)
def test_what_costs(answer: str, reason: str) -> None:
    result = score(answer)
    assert reason in result.reasons
    assert value(ANSWER) > value(answer)


def test_an_answer_like_the_reference_is_better() -> None:
    other = "You may take whichever of these seems nicer, both come with Python and both hold many things."
    assert value(ANSWER, WITH_TEXT) == 1.0
    assert value(ANSWER, WITH_TEXT) > value(other, WITH_TEXT) > -1


words = st.lists(st.sampled_from(ANSWER.lower().replace(",", "").split()), max_size=30).map(" ".join)


@given(words, st.lists(st.sampled_from(FLATTERY), min_size=1, max_size=5), st.booleans(), st.booleans())
def test_flattery_never_gains(answer: str, praise: list[str], first: bool, reference: bool) -> None:
    prompt = WITH_TEXT if reference else user(QUESTION)
    flattering = "\n".join([*praise, answer] if first else [answer, *praise])
    assert value(flattering, prompt) <= value(answer, prompt) + 1e-9


@given(words, st.integers(1, 10), st.booleans())
def test_saying_it_again_never_gains(answer: str, times: int, reference: bool) -> None:
    prompt = WITH_TEXT if reference else user(QUESTION)
    assert value("\n".join([answer] * (times + 1)), prompt) <= value(answer, prompt) + 1e-9


@pytest.mark.parametrize(("shortest", "longest"), [(0, 5), (6, 5), (-1, 5)])
def test_a_band_that_is_empty_is_refused(shortest: int, longest: int) -> None:
    with pytest.raises(UsageError, match="C081"):
        ChatReward(shortest=shortest, longest=longest)
