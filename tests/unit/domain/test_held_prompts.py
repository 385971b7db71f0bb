from __future__ import annotations

import json
from hashlib import sha256

import pytest

from cesello.domain.conversation import Conversation, GivenContext, Message, Role, user
from cesello.domain.held_prompts import prompt_digest, prompt_digests, told_digests


@pytest.mark.parametrize("text", ["What is 2 + 2?", "  what IS\n2 + 2?", "What is ２ + 2?"])
def test_what_is_asked_in_other_letters_and_spaces_is_the_same(text: str) -> None:
    assert prompt_digest(user(text)) == sha256(b"what is 2 + 2?").hexdigest()


def test_what_is_put_around_a_question_makes_no_difference() -> None:
    asked = user("What is this?")
    before = (Message(Role.SYSTEM, "Be brief."), Message(Role.USER, "a"), Message(Role.ASSISTANT, "b"))
    shown = Conversation((*before, *asked.messages))
    assert prompt_digest(shown) == prompt_digest(asked)
    assert prompt_digest(shown.grounded(GivenContext((), 1, "passages"))) == prompt_digest(asked)
    assert prompt_digest(user("What is that?")) != prompt_digest(asked)


def test_digests_tell_neither_how_often_nor_in_which_order() -> None:
    prompts = [user(text) for text in ("b", "a", "B", "c")]
    assert prompt_digests(prompts) == prompt_digests(reversed(prompts))
    assert len(prompt_digests(prompts)) == 3


def test_where_nobody_asks_there_is_nothing_to_compare() -> None:
    assert prompt_digests([Conversation((Message(Role.SYSTEM, "x"),)), user(" ")]) == []


def test_a_lone_surrogate_has_a_digest() -> None:
    assert prompt_digest(user("\ud800"))


@pytest.mark.parametrize("text", ["", "[", "{}", "3", "[" * 100_000, '["A", 3, null, "' + "A" * 64 + '"]'])
def test_what_is_no_digest_is_passed_over(text: str) -> None:
    assert told_digests(text) == frozenset()


def test_digests_are_read_as_they_were_written() -> None:
    digests = prompt_digests([user("a"), user("b")])
    assert told_digests(json.dumps([*digests, "no digest"])) == set(digests)
