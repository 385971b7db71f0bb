"""Conversations that several suites speak about: a chat, one with a call, and plain text."""

from __future__ import annotations

from cesello.domain.conversation import Conversation, Message, Role, ToolCall, ToolSpec

CHAT = Conversation(
    (
        Message(Role.SYSTEM, "Be brief."),
        Message(Role.USER, "What is a cesello?"),
        Message(Role.ASSISTANT, "A chisel."),
        Message(Role.USER, "Of whom?"),
        Message(Role.ASSISTANT, "Of the goldsmith, perché no? 🙂"),
    )
)
CALLS = Conversation(
    (
        Message(Role.USER, "1 + 2?"),
        Message(Role.ASSISTANT, "", (ToolCall("add", '{"a": 1}'),)),
        Message(Role.TOOL, "3"),
        Message(Role.ASSISTANT, "3"),
    ),
    (ToolSpec("add", "Adds.", {"type": "object"}),),
)
TEXT = Conversation((Message(Role.ASSISTANT, "Once upon a time."),))
