"""The chat set of this project is as varied as it is said to be."""

from __future__ import annotations

import json

from cesello.domain.row_shapes import to_conversation
from cesello.domain.source import SourceRow
from tests.repository import ROOT

LINES = (ROOT / "recipes" / "data" / "conversations.jsonl").read_text(encoding="utf-8").splitlines()
ROWS = [json.loads(line) for line in LINES]


def test_there_are_enough_turns_some_in_italian() -> None:
    answers = [turn for row in ROWS for turn in row["messages"] if turn["role"] == "assistant"]
    assert len(answers) >= 120
    assert sum(row["language"] == "it" for row in ROWS) >= 30
    assert len({row["topic"] for row in ROWS}) >= 20


def test_each_row_is_a_conversation_and_no_question_comes_twice() -> None:
    for number, row in enumerate(ROWS, start=1):
        turns = to_conversation(SourceRow(f"line {number}", row), "messages", {}).messages
        assert [turn.role for turn in turns[::2]] == ["user"] * len(turns[::2])
        assert turns[-1].role == "assistant"
    questions = [row["messages"][0]["content"].casefold() for row in ROWS]
    assert len(set(questions)) == len(questions)
