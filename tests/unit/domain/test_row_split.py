"""What questions are worth that anybody could answer who knows how answers look."""

from __future__ import annotations

from collections import Counter
from time import process_time

from hypothesis import given
from hypothesis import strategies as st

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


def guessed_slowly(rows: list[MadeRow]) -> Guessed:
    """As it is said: all answers of the sort but the question's own, counted anew for each question."""
    right = 0
    for row in rows:
        sort = [one.answer() for one in rows if one.extra == row.extra and one is not row]
        counted = Counter(sort)
        right += bool(sort) and min(counted, key=lambda one: (-counted[one], one)) == row.answer()
    return Guessed(right, len(rows))


@given(st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from("abcde")), max_size=14))
def test_guesses_are_those_of_counting_anew(asked: list[tuple[str, str]]) -> None:
    rows = [question(asks, f"{at}", answer) for at, (asks, answer) in enumerate(asked)]
    assert guessed_by_others(rows) == guessed_slowly(rows)


def test_questions_are_not_counted_anew_for_each() -> None:
    """Of processor time alone; where each counts them all it is some minutes."""
    rows = [question("found", f"{at}", f"answer {at}") for at in range(8000)]
    began = process_time()
    assert guessed_by_others(rows) == Guessed(0, 8000)
    assert process_time() - began < 10
