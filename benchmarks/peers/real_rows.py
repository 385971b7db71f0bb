"""The real rows that encoders are compared on: function calls, code and chat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from cesello.adapters.data.file_source import FileSource
from cesello.adapters.data.package_source import Join, PackageSource
from cesello.adapters.data.python_code import StandardLibrary
from cesello.adapters.data.stdlib_source import StdlibSource
from cesello.domain.conversation import Conversation, Message, Role
from cesello.domain.ports.data import DatasetSource
from cesello.domain.row_shapes import to_conversation
from cesello.entrypoints.home import home

RECIPES = Path(__file__).resolve().parents[2] / "src" / "entrypoints" / "recipes"
CALLS = ["data/BFCL_v4_simple_python.json", "data/BFCL_v4_parallel.json"]
SYSTEM = "You are a helpful AI assistant specialized in coding."


def real_rows(each: int) -> list[Conversation]:
    """``each`` conversations of each of the three kinds, one after the other."""
    return [
        *islice(_spread(_bfcl()), each),
        *islice(_spread(_stdlib()), each),
        *islice(_chat(), each),
    ]


def _bfcl() -> Iterator[Conversation]:
    """Calls; every fourth row goes on with the tool's result and an answer, as an agent's log does."""
    source = PackageSource("bfcl", "bfcl-eval", CALLS, Join("data/possible_answer", "id"), home() / "kit")
    for number, one in enumerate(_conversations(source, "bfcl")):
        yield _answered(one) if number % 4 == 0 else one


def _answered(one: Conversation) -> Conversation:
    results = [
        Message(Role.TOOL, f'{{"value": "perché {number}"}}', name=call.name)
        for number, call in enumerate(one.messages[-1].tool_calls)
    ]
    said = Message(Role.ASSISTANT, f"Done: {len(results)} results.")
    return Conversation((*one.messages, *results, said), one.tools)


def _stdlib() -> Iterator[Conversation]:
    source = StdlibSource("stdlib", StandardLibrary())
    return (one.with_system(SYSTEM) for one in _conversations(source, "auto"))


def _chat() -> Iterator[Conversation]:
    """Those of several turns first: there are more short ones than asked for."""
    source = FileSource("chat", RECIPES, "data/conversations.jsonl")
    return iter(sorted(_conversations(source, "auto"), key=lambda one: -len(one.messages)))


def _conversations(source: DatasetSource, shape: str) -> Iterator[Conversation]:
    return (to_conversation(row, shape, {}) for row in source.rows())


def _spread(conversations: Iterator[Conversation]) -> Sequence[Conversation]:
    """Every fifth one: neighbours are of one kind."""
    return list(conversations)[::5]


def as_rows(conversations: Sequence[Conversation]) -> list[dict[str, Any]]:
    """The form other libraries read."""
    return [
        {"messages": [_turn(turn) for turn in one.messages], "tools": _tools(one)} for one in conversations
    ]


def _tools(one: Conversation) -> list[dict[str, Any]] | None:
    return [tool.as_openai() for tool in one.tools] or None


def _turn(turn: Message) -> dict[str, Any]:
    calls = [
        {"type": "function", "function": {"name": call.name, "arguments": call.decoded()}}
        for call in turn.tool_calls
    ]
    named = {} if turn.name is None else {"name": turn.name}
    return {
        "role": turn.role.value,
        "content": turn.content,
        **({"tool_calls": calls} if calls else {}),
        **named,
    }
