"""Golden cases as they are written, and every way to write them wrong."""

from __future__ import annotations

from typing import Any

import pytest

from cesello.domain.conversation import Role, user
from cesello.domain.reward_cases import GoldenCase, Probe, case_of

PLAIN: dict[str, Any] = {"prompt": "two?", "passes": ["2"], "fails": ["3"]}


def test_a_case_needs_a_prompt_and_answers_of_both_kinds() -> None:
    assert case_of(PLAIN, "case 1") == GoldenCase("case 1", user("two?"), ("2",), ("3",))


def test_a_case_can_say_more() -> None:
    case = case_of(
        {
            "name": "sum",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "two?"}],
            "tools": [{"name": "add", "parameters": {"type": "object"}}],
            "reference": {"answer": "2"},
            "passes": ["2"],
            "fails": ["3", ""],
            "hacks": ["1 2 3"],
            "ladder": ["", "2"],
            "without": ["echo"],
        },
        "case 1",
    )
    assert (case.name, case.hacks, case.ladder) == ("sum", ("1 2 3",), ("", "2"))
    assert [turn.role for turn in case.prompt.messages] == [Role.SYSTEM, Role.USER]
    assert case.prompt.tools[0].name == "add"
    assert case.prompt.reference == {"answer": "2"}
    assert case.without == {Probe.ECHO}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prompt": None}, "prompt is no text"),
        ({"prompt": 3}, "prompt is no text"),
        ({"messages": []}, "one of the two"),
        ({"passes": []}, "passes is missing or empty"),
        ({"fails": None}, "fails is missing or empty"),
        ({"fails": "3"}, "fails is no list of texts"),
        ({"passes": [2]}, "put a number between quotes"),
        ({"hacks": {"a": "b"}}, "hacks is no list of texts"),
        ({"hack": ["3"]}, 'unknown key "hack"'),
        ({"without": ["echoes"]}, 'without names "echoes"'),
        ({"reference": ["2"]}, "reference is no map"),
        ({"name": 3}, "name is no text"),
        ({"tools": [{"description": "nameless"}]}, "messages or tools"),
        ({"tools": "{"}, "Expecting"),
    ],
)
def test_what_is_malformed_is_said(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        case_of(PLAIN | changes, "case 1")


@pytest.mark.parametrize(
    "turns",
    [[], "two?", [{"role": "user"}], [{"role": "boss", "content": "x"}], [{"role": "user", "content": 3}]],
)
def test_messages_are_turns(turns: object) -> None:
    with pytest.raises(ValueError, match=r"messages|turns|Role"):
        case_of({"messages": turns, "passes": ["2"], "fails": ["3"]}, "case 1")


@pytest.mark.parametrize("value", [None, "text", ["2"], 3])
def test_a_case_is_a_map(value: object) -> None:
    with pytest.raises(ValueError, match="a map of keys"):
        case_of(value, "case 1")
