from __future__ import annotations

import json
from pathlib import Path

from cesello.application.keep_held_out import held_prompts, keep_held_out
from cesello.application.prepare_source import PreparedSource
from cesello.domain.conversation import Conversation, Message, Role, user
from cesello.domain.example import Example
from cesello.domain.held_prompts import prompt_digest
from cesello.domain.source import SourceSpec
from cesello.domain.tokens import token_row
from tests.fakes.examples import FakeExamples
from tests.fakes.run import FakeRunFolder


def source(*rows: Conversation, held: int) -> PreparedSource:
    """The first rows are held out."""
    examples = FakeExamples([Example("x", row, token_row(range(2), [False, True])) for row in rows])
    count = len(rows)
    return PreparedSource(SourceSpec("s"), "s", examples, count, range(held, count), range(held))


def answered(question: str) -> Conversation:
    return Conversation((*user(question).messages, Message(Role.ASSISTANT, "It is.")))


def test_the_held_out_prompts_of_all_sources_are_kept_without_their_words() -> None:
    plain_text = Conversation((Message(Role.ASSISTANT, "a text"),))
    sources = [
        source(answered("a?"), answered("b?"), answered("c?"), held=2),
        source(user("d?"), plain_text, user("e?"), held=2),
    ]
    run = FakeRunFolder("one", Path("one"), "")
    keep_held_out(run, held_prompts(sources))
    assert json.loads(run.texts["held-out.json"]) == sorted(prompt_digest(user(f"{one}?")) for one in "abd")


def test_that_nothing_is_held_out_is_kept_too() -> None:
    run = FakeRunFolder("one", Path("one"), "")
    keep_held_out(run, held_prompts([source(user("a?"), held=0)]))
    assert json.loads(run.texts["held-out.json"]) == []


def test_what_was_held_out_before_stays_so_when_a_run_goes_on_with_other_data() -> None:
    run = FakeRunFolder("one", Path("one"), "")
    for asked in "ab":
        keep_held_out(run, [user(asked)])
    assert json.loads(run.texts["held-out.json"]) == sorted(prompt_digest(user(one)) for one in "ab")


def test_a_file_that_is_damaged_is_written_anew() -> None:
    run = FakeRunFolder("one", Path("one"), "", texts={"held-out.json": '["no digest'})
    keep_held_out(run, [user("a")])
    assert json.loads(run.texts["held-out.json"]) == [prompt_digest(user("a"))]
