from __future__ import annotations

import pytest

from cesello.domain.conversation import Conversation, Message, Role, ToolCall, ToolSpec, tools_named, user

QUESTION = Message(Role.USER, "Why?")
ANSWER = Message(Role.ASSISTANT, "Because.")
SYSTEM = Message(Role.SYSTEM, "Be brief.")


@pytest.mark.parametrize("arguments", ["", "{", "[]", "1", "null"])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ToolCall("f", arguments).decoded()


@pytest.mark.parametrize("role", Role)
def test_answers_are_trained_unless_said_otherwise(role: Role) -> None:
    assert Message(role, "x").is_trained == (role is Role.ASSISTANT)
    assert Message(role, "x", trained=True).is_trained
    assert not Message(role, "x", trained=False).is_trained


def test_a_system_prompt_is_put_before_a_chat_without_one() -> None:
    assert Conversation((QUESTION,)).with_system("Be brief.").messages == (SYSTEM, QUESTION)
    own = Conversation((SYSTEM, QUESTION))
    assert own.with_system("Be long.") is own
    assert own.with_system("") is own


def test_plain_text_gets_no_system_prompt() -> None:
    text = Conversation((ANSWER,))
    assert text.is_plain_text
    assert text.with_system("Be brief.") is text
    assert not Conversation((QUESTION,)).is_plain_text
    assert not Conversation((ANSWER,), (ToolSpec("f", "", {}),)).is_plain_text
    assert not Conversation((Message(Role.ASSISTANT, "", (ToolCall("f", "{}"),)),)).is_plain_text


def test_the_prompt_is_all_but_the_answer_at_the_end() -> None:
    chat = Conversation((QUESTION, ANSWER, QUESTION, ANSWER), reference={"calls": []})
    assert chat.prompt().messages == (QUESTION, ANSWER, QUESTION)
    assert chat.prompt().reference == {"calls": []}
    assert chat.answer() == ANSWER


def test_a_chat_that_ends_with_a_question_is_a_prompt_whole() -> None:
    chat = Conversation((QUESTION, ANSWER, QUESTION))
    assert chat.prompt() == chat
    assert chat.answer() is None
    assert user("Why?").prompt() == user("Why?")
    assert user("Why?").answer() is None


def test_a_tool_is_found_by_its_name() -> None:
    tools = (ToolSpec("f", "", {}), ToolSpec("g", "d", {"type": "object"}))
    assert tools_named(tools, "g") is tools[1]
    assert tools_named(tools, "h") is None
    assert tools[1].as_openai() == {
        "type": "function",
        "function": {"name": "g", "description": "d", "parameters": {"type": "object"}},
    }
