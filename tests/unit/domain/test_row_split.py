"""What questions are worth that anybody could answer who knows how answers look."""

from __future__ import annotations

from cesello.domain.conversation import Conversation, Message, Role
from cesello.domain.made_row import MadeRow
from cesello.domain.row_split import Guessed, guessed, guessed_by_others


def question(asks: str, fact: str, answer: str, words: str = "?") -> MadeRow:
    turns = (Message(Role.USER, f"{fact}{words}"), Message(Role.ASSISTANT, answer))
    told = Conversation(turns, reference={"answers": [answer]})
    return MadeRow("question", told, {}, fact=fact, extra={"asks": asks})


TYPES = [
    question("returns", "mix", "Cake"),
    question("returns", "stir", "Cake"),
    question("returns", "knead", "Bread"),
]


def test_guesses_are_learnt_from_what_is_trained_on() -> None:
    held = [question("returns", "heat", "Cake"), question("raises", "burn", "Cake")]
    assert guessed(TYPES, held) == Guessed(1, 2)


def test_a_question_is_guessed_by_the_others_and_never_by_its_own_answer() -> None:
    # Three cakes by each other; bread by cakes; what is alone in its sort by nothing.
    more = [question("returns", "heat", "Cake"), question("raises", "burn", "Fire")]
    assert guessed_by_others([*TYPES, *more]) == Guessed(3, 5)
    assert guessed_by_others(TYPES[1:]) == Guessed(0, 2)


def test_a_fact_in_several_words_is_one_question() -> None:
    again = [question("raises", "burn", "Fire", words) for words in ("?", "!", "...")]
    assert guessed_by_others(again) == Guessed(0, 1)
