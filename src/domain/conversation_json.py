"""Conversations as JSON text and back, without loss: how they are kept on a disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import blake2b
from typing import Any

from .conversation import (
    Conversation,
    GivenContext,
    GivenPassage,
    GivenProcedure,
    Message,
    Role,
    ToolCall,
    ToolSpec,
)


def to_json(conversation: Conversation) -> str:
    """One line. Values of a reference that JSON does not know (dates, for example) become text."""
    parts = _shown(conversation) | {"reference": conversation.reference}
    if conversation.procedure is not None:
        parts["procedure"] = asdict(conversation.procedure)
    if conversation.context is not None:
        parts["context"] = asdict(conversation.context)
    return json.dumps(_full(parts), ensure_ascii=False, separators=(",", ":"), default=str)


def from_json(text: str) -> Conversation:
    """The conversation of ``to_json``."""
    parts = json.loads(text)
    return Conversation(
        tuple(_message(turn) for turn in parts.get("messages", ())),
        tuple(ToolSpec(**tool) for tool in parts.get("tools", ())),
        parts.get("reference", {}),
        GivenProcedure(**parts["procedure"]) if "procedure" in parts else None,
        _context(parts["context"]) if "context" in parts else None,
    )


def reference_text(conversation: Conversation) -> str:
    """What a reward compares its answers with, the same text for the same facts; empty without any."""
    if not conversation.reference:
        return ""
    kept = json.loads(
        json.dumps(conversation.reference, default=str)
    )  # keys are texts now, and have an order
    return json.dumps(kept, sort_keys=True)


def identity(conversation: Conversation) -> int:
    """64 bits of BLAKE2b over what a model is shown of it and trained on; ids of calls make no difference.

    Among ten million different conversations two share their bits with a chance of about 1 in 400,000.
    """
    shown = _shown(conversation)
    for turn, message in zip(shown["messages"], conversation.messages, strict=True):
        turn["trained"] = message.is_trained
        turn.pop("tool_call_id", None)
        for call in turn.get("tool_calls", ()):
            call.pop("id", None)
    text = json.dumps(shown, ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=str)
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _shown(conversation: Conversation) -> dict[str, Any]:
    return {
        "messages": [_turn(message) for message in conversation.messages],
        "tools": [
            {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
            for tool in conversation.tools
        ],
    }


def _turn(message: Message) -> dict[str, Any]:
    return _full(
        {
            "role": message.role.value,
            "content": message.content,
            "tool_calls": [
                {"name": call.name, "arguments": call.arguments} | _full({"id": call.id})
                for call in message.tool_calls
            ],
            "tool_call_id": message.tool_call_id,
            "name": message.name,
        }
    ) | ({} if message.trained is None else {"trained": message.trained})


def _full(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty."""
    return {key: value for key, value in parts.items() if value or key == "content"}


def _context(parts: Mapping[str, Any]) -> GivenContext:
    passages = (GivenPassage(**one | {"lines": tuple(one["lines"])}) for one in parts["passages"])
    return GivenContext(**{**parts, "passages": tuple(passages)})


def _message(turn: Mapping[str, Any]) -> Message:
    return Message(
        Role(turn["role"]),
        turn["content"],
        tuple(ToolCall(**call) for call in turn.get("tool_calls", ())),
        turn.get("tool_call_id"),
        turn.get("name"),
        turn.get("trained"),
    )
