"""Function calling as text: written, and read back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.chatml import call_as_text, parse_answer, parse_calls, tools_as_text
from cesello.domain.conversation import Conversation, Message, Role, ToolCall, ToolSpec

texts = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["</tool_call>", "<tool_call>", '"}', "{", "\n", "\\"]
)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
calls = st.builds(
    lambda name, arguments, indent: ToolCall(name, json.dumps(arguments, indent=indent)),
    texts,
    st.dictionaries(texts, json_values, max_size=4),
    st.none() | st.integers(0, 2),
)


@given(st.lists(calls, min_size=1, max_size=3), st.sampled_from(["", "Let me look.\n", "{\n"]))
def test_calls_written_as_text_are_read_back(made: list[ToolCall], before: str) -> None:
    read = parse_calls(before + "\n".join(map(call_as_text, made)))
    assert read is not None
    assert [(call.name, call.decoded()) for call in read] == [(call.name, call.decoded()) for call in made]


@given(
    st.text()
    | st.lists(st.sampled_from(["<tool_call>", "</tool_call>", '{"name":', '"f"', "{", "}", ","])).map(
        "".join
    )
)
def test_reading_calls_out_of_anything_never_raises(text: str) -> None:
    read = parse_calls(text)
    assert read is None or all(isinstance(call.decoded(), dict) for call in read)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot do that.",
        '{"name": "f", "arguments": {}}',
        "<tool_call>",
        "<tool_call></tool_call>",
        "<tool_call>[]</tool_call>",
        "<tool_call>null</tool_call>",
        '<tool_call>{"name": "f"}</tool_call>',
        '<tool_call>{"name": "f", "arguments": "{}"}</tool_call>',
        '<tool_call>{"name": "f", "arguments": []}</tool_call>',
        '<tool_call>{"name": 1, "arguments": {}}</tool_call>',
        '<tool_call>{"arguments": {}}</tool_call>',
        '<tool_call>{"name": "f", "arguments": {}</tool_call>',
        '<tool_call>{"name": "f", "arguments": {}} and so on</tool_call>',
        '<tool_call>{"name": "f", "arguments": {}}</tool_call><tool_call>{',
        '<tool_call>{"name": "f", "arguments": {"a": ' + "[" * 100_000 + "</tool_call>",
        '<tool_call>{"name": "f", "arguments": {"a": ' + "[" * 100_000 + "]" * 100_000 + "}}</tool_call>",
        '<tool_call>{"name": "f", "arguments": {"a": ' + "9" * 5000 + "}}</tool_call>",
    ],
    ids=lambda text: text[:60],
)
def test_a_completion_without_well_formed_calls_makes_none(text: str) -> None:
    assert parse_calls(text) is None


def test_an_answer_cut_off_right_after_its_call_still_makes_it() -> None:
    assert parse_calls('<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n') == (ToolCall("f", '{"a": 1}'),)


def test_tools_calls_and_results_become_plain_turns() -> None:
    spec = ToolSpec("add", "Adds.", {"type": "object"})
    conversation = Conversation(
        (
            Message(Role.SYSTEM, "Be brief."),
            Message(Role.USER, "1 + 2?"),
            Message(Role.ASSISTANT, "I add.", (ToolCall("add", '{"a": 1}'),)),
            Message(Role.TOOL, "3"),
            Message(Role.ASSISTANT, "3"),
        ),
        (spec,),
    )
    plain = tools_as_text(conversation)
    assert plain.tools == ()
    assert all(not turn.tool_calls and turn.role is not Role.TOOL for turn in plain.messages)
    system, _, call, result, answer = plain.messages
    assert system.content.startswith("Be brief.\n\n")
    assert '{"name":"add","description":"Adds.","parameters":{"type":"object"}}' in system.content
    assert call.content == 'I add.\n<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'
    assert (result.role, result.content, result.is_trained) == (
        Role.USER,
        "<tool_response>\n3\n</tool_response>",
        False,
    )
    assert answer == conversation.messages[-1]


def test_tools_without_a_system_turn_bring_one_and_without_tools_nothing_changes() -> None:
    question = Conversation((Message(Role.USER, "Hello"),))
    assert tools_as_text(question) == question
    with_tool = Conversation(question.messages, (ToolSpec("f", "", {}),))
    assert [turn.role for turn in tools_as_text(with_tool).messages] == [Role.SYSTEM, Role.USER]


def test_a_turn_keeps_whether_it_is_trained() -> None:
    turn = Message(Role.ASSISTANT, "", (ToolCall("f", "{}"),), trained=False)
    assert not tools_as_text(Conversation((turn,))).messages[0].is_trained
    result = Message(Role.TOOL, "3", trained=True)
    assert tools_as_text(Conversation((result,))).messages[0].is_trained


def test_words_beside_calls_are_the_content_of_the_answer() -> None:
    call = ToolCall("f", '{"a": "</tool_call>"}')
    text = f"First:\n{call_as_text(call)}\n and \n{call_as_text(call)} then?"
    assert parse_answer(text) == Message(Role.ASSISTANT, "First:\nand\nthen?", (call, call))
    assert parse_answer("No call.") is None
