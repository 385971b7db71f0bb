"""Rows of any common shape become conversations.

messages            messages: [{role, content, tool_calls?, tool_call_id?, name?, trained?}], tools?
conversations       conversations: [{from, value}]   (ShareGPT; the rest as in messages)
instruction         instruction, input?, response | output
prompt_completion   prompt, completion               (text or lists of messages)
text                text                             (plain text, all of it trained)
glaive, xlam, bfcl  function calling, see ``function_rows``
prompt              prompt                           (a question alone, for a model to answer)

A ``reference`` (a mapping, for a reward) beside messages, conversations, prompt and completion is kept, and
whatever the shape, facts of other columns are added to it (see ``row_reference``).
A number may stand for a text, as in CSV; nothing else may.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .conversation import Conversation, Message, Role, ToolCall, ToolSpec, tools_named
from .errors import DataError
from .function_rows import bfcl, glaive, pruned, tool_specs, xlam
from .source import SourceRow

_ROLES = {
    "system": Role.SYSTEM,
    "user": Role.USER,
    "human": Role.USER,
    "assistant": Role.ASSISTANT,
    "gpt": Role.ASSISTANT,
    "model": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
    "observation": Role.TOOL,
    "ipython": Role.TOOL,
}

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_WRITTEN_CALL = re.compile(r"<tool_call>|<functioncall>")
"""Some data writes calls into the text of an answer instead of beside it."""


def to_conversation(
    row: SourceRow, shape: str, columns: Mapping[str, str], facts: Mapping[str, Any] | None = None
) -> Conversation:
    """The conversation a row holds.

    Args:
        shape: a name of ``SHAPES``, or ``auto``.
        columns: standard column -> the row's own column.
        facts: for a reward, added to the reference that the row has.

    Raises:
        DataError: naming the row: D010 no shape fits, D011 a column is missing, D012 a turn is malformed.
    """
    values = _standard_columns(row, columns)
    name = detect(values) if shape == "auto" else shape
    if name is None:
        raise DataError(
            "D010",
            "the shape of a row is not recognised",
            where=row.place,
            got=f"columns {', '.join(sorted(values)) or 'none'}",
            expected=" | ".join(f"{known} ({', '.join(keys)})" for known, (keys, _) in SHAPES.items()),
            fix="set shape and columns of the source",
        )
    keys, convert = SHAPES[name]
    missing = [key for key in keys if key not in values]
    if missing:
        raise DataError(
            "D011",
            f'a row of shape "{name}" lacks {", ".join(missing)}',
            where=row.place,
            got=f"columns {', '.join(sorted(values)) or 'none'}",
            fix="name the source's own columns under columns:",
        )
    try:
        conversation = convert(values)
        if facts:
            conversation = replace(conversation, reference={**conversation.reference, **facts})
        if flaw := _flaw(conversation):
            raise ValueError(flaw)
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RecursionError,
    ) as cause:
        reason = f"{type(cause).__name__}: {cause}" if isinstance(cause, LookupError) else str(cause)
        raise DataError(
            "D012",
            f"a row is malformed: {reason}",
            where=row.place,
            fix="mend the row or leave it out",
        ) from cause
    return conversation


def detect(values: Mapping[str, Any]) -> str | None:
    """The first shape whose columns are all there."""
    return next(
        (name for name, (keys, _) in SHAPES.items() if all(key in values for key in keys)),
        None,
    )


def _standard_columns(row: SourceRow, columns: Mapping[str, str]) -> dict[str, Any]:
    """The row under standard column names, without the None that Arrow puts for an absent value."""
    values = {key: value for key, value in row.values.items() if value is not None}
    for standard, own in columns.items():
        if own not in values:
            raise DataError(
                "D011",
                f'a row has no column "{own}"',
                where=row.place,
                got=f"columns {', '.join(sorted(values)) or 'none'}",
                fix=f"correct columns.{standard} of the source",
            )
        values[standard] = values[own]
    return values


def _flaw(conversation: Conversation) -> str | None:
    """What is wrong with a row, whatever its shape."""
    turns = conversation.messages
    if not turns:
        return "it has no turns"
    if sum(turn.role is Role.SYSTEM for turn in turns) > 1:
        return "two system turns, expected one, the first"
    if any(turn.role is Role.SYSTEM for turn in turns[1:]):
        return "its system turn is not the first"
    for number, turn in enumerate(turns, start=1):
        flaw = _text_flaw(turn) or _calls_flaw(turn, conversation.tools) or _result_flaw(turns[:number])
        if flaw:
            return f"turn {number} {flaw}"
    return _data_flaw(conversation)


def _data_flaw(conversation: Conversation) -> str | None:
    """What is wrong with the tools and the reference, which one's own function can fill with anything."""
    try:
        tools = json.dumps(
            [tool.as_openai() for tool in conversation.tools], ensure_ascii=False, sort_keys=True
        )
    except (TypeError, ValueError) as cause:
        return f"its tools are not plain JSON: {cause}"
    try:
        json.dumps(conversation.reference, default=str)  # a date of a table, for example, becomes text
    except (TypeError, ValueError) as cause:
        return f"its reference is not plain JSON: {cause}"
    return "a tool holds half a character (a lone surrogate)" if _LONE_SURROGATE.search(tools) else None


def _text_flaw(turn: Message) -> str | None:
    texts = [turn.content, *(text for call in turn.tool_calls for text in (call.name, call.arguments))]
    # Not every shape says what its columns hold, and a row can hold anything.
    if not all(isinstance(text, str) for text in texts):
        return "is not text"
    labels = (turn.name, turn.tool_call_id, *(call.id for call in turn.tool_calls))
    for label in labels:
        if label is not None and not isinstance(label, str):
            return f"has a name or an id that is {type(label).__name__}, not text"
    texts.extend(label for label in labels if label is not None)
    if any(map(_LONE_SURROGATE.search, texts)):
        return "holds half a character (a lone surrogate)"
    if found := next(filter(None, map(_CONTROL.search, texts)), None):
        return f"holds a control character (U+{ord(found[0]):04X})"
    if not turn.content.strip() and not turn.tool_calls:
        return "is empty"
    return None


def _calls_flaw(turn: Message, tools: Sequence[ToolSpec]) -> str | None:
    if turn.tool_calls and turn.role is not Role.ASSISTANT:
        return "makes a call, which only the assistant does"
    for call in turn.tool_calls:
        if tools and not tools_named(tools, call.name):
            return (
                f'calls "{call.name}", which is none of its tools: {", ".join(tool.name for tool in tools)}'
            )
        try:
            arguments = json.dumps(call.decoded(), ensure_ascii=False)
        except ValueError as cause:
            return f'has a call of "{call.name}" that cannot be read: {cause}'
        if _LONE_SURROGATE.search(arguments):  # written as an escape, it shows only here
            return f'has a call of "{call.name}" that holds half a character (a lone surrogate)'
    return None


def _result_flaw(turns: Sequence[Message]) -> str | None:
    """Whether the last turn is a tool's result that no call before it asked for."""
    result, before = turns[-1], turns[:-1]
    if result.role is not Role.TOOL:
        return None
    calls = [call for turn in before for call in turn.tool_calls]
    ids = {call.id for call in calls if call.id is not None}
    if result.tool_call_id is not None and ids and result.tool_call_id not in ids:
        return f'is the result of a call "{result.tool_call_id}" that was not made'
    if not calls and not any(_WRITTEN_CALL.search(turn.content) for turn in before):
        return "is the result of a tool that was not called"
    return None


def _messages(values: Mapping[str, Any]) -> Conversation:
    turns = _turns(_listed(values["messages"], "messages"))
    return Conversation(turns, tool_specs(values.get("tools")), _reference(values))


def _conversations(values: Mapping[str, Any]) -> Conversation:
    turns = _listed(values["conversations"], "conversations")
    pairs = [
        {
            **turn,
            "role": turn.get("from", turn.get("role")),
            "content": turn.get("value", turn.get("content")),
        }
        for turn in turns
    ]
    system = [{"role": "system", "content": values["system"]}] if values.get("system") else []
    return Conversation(_turns([*system, *pairs]), tool_specs(values.get("tools")), _reference(values))


def _instruction(values: Mapping[str, Any]) -> Conversation:
    question = _plain(values, "instruction")
    if values.get("input", "") != "":
        question = f"{question}\n\n{_plain(values, 'input')}"
    answer = next((column for column in ("response", "output") if column in values), None)
    if answer is None:
        raise ValueError("neither response nor output is there")
    return Conversation((Message(Role.USER, question), Message(Role.ASSISTANT, _plain(values, answer))))


def _prompt(values: Mapping[str, Any]) -> Conversation:
    turns = _said(values, "prompt", Role.USER)
    return Conversation(turns, tool_specs(values.get("tools")), _reference(values))


def _prompt_completion(values: Mapping[str, Any]) -> Conversation:
    asked = _prompt(values)
    answered = _said(values, "completion", Role.ASSISTANT, first=len(asked.messages) + 1)
    return replace(asked, messages=asked.messages + answered)


def _said(values: Mapping[str, Any], column: str, role: Role, first: int = 1) -> tuple[Message, ...]:
    """A text of that role, or a list of turns, the first of them of that number."""
    if isinstance(values[column], list):
        return _turns(values[column], first)
    return (Message(role, _plain(values, column)),)


def _plain(values: Mapping[str, Any], column: str) -> str:
    """The text of a column; a number is one, as it would be in CSV."""
    value = values[column]
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{column} is {type(value).__name__}, not text")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{column} is {value}, not text")
    return str(value)


def _reference(values: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = values.get("reference")
    return reference if isinstance(reference, Mapping) else {}


def _text(values: Mapping[str, Any]) -> Conversation:
    return Conversation((Message(Role.ASSISTANT, _plain(values, "text")),))


def _listed(value: Any, name: str) -> Sequence[Mapping[str, Any]]:
    if isinstance(value, str):
        value = json.loads(value)
    if not isinstance(value, Sequence) or not value:
        raise ValueError(f"{name} is not a list of turns")
    return value


def _turns(turns: Sequence[Mapping[str, Any]], first: int = 1) -> tuple[Message, ...]:
    made = []
    for number, turn in enumerate(turns, start=first):
        try:
            made.append(_message(turn))
        except (ValueError, TypeError, LookupError, AttributeError) as cause:
            reason = f"{type(cause).__name__}: {cause}" if isinstance(cause, LookupError) else str(cause)
            raise ValueError(f"turn {number}: {reason}") from cause
    return tuple(made)


def _message(turn: Mapping[str, Any]) -> Message:
    role = _ROLES.get(str(turn.get("role")))
    if role is None:
        raise ValueError(f'unknown role "{turn.get("role")}", expected one of {", ".join(_ROLES)}')
    calls = tuple(_tool_call(call) for call in turn.get("tool_calls") or ())
    content = turn.get("content")
    if content is None and not calls:
        raise ValueError(f"a turn of {role} has no content")
    if content is not None and not isinstance(content, str):
        raise TypeError(f"the content of a turn of {role} is {type(content).__name__}, not text")
    trained = turn.get("trained", turn.get("train"))
    if trained is not None and trained not in (True, False):
        raise ValueError(f'trained is "{trained}", expected true or false')
    return Message(
        role,
        content or "",
        calls,
        tool_call_id=turn.get("tool_call_id"),
        name=turn.get("name"),
        trained=None if trained is None else bool(trained),
    )


def _tool_call(call: Mapping[str, Any]) -> ToolCall:
    function = call.get("function", call)
    arguments = function["arguments"]
    text = arguments if isinstance(arguments, str) else json.dumps(pruned(arguments), ensure_ascii=False)
    return ToolCall(function["name"], text, call.get("id"))


Converter = Callable[[Mapping[str, Any]], Conversation]

SHAPES: dict[str, tuple[tuple[str, ...], Converter]] = {
    "messages": (("messages",), _messages),
    "conversations": (("conversations",), _conversations),
    "bfcl": (("question", "function", "ground_truth"), bfcl),
    "xlam": (("query", "tools", "answers"), xlam),
    "glaive": (("system", "chat"), glaive),
    "instruction": (("instruction",), _instruction),
    "prompt_completion": (("prompt", "completion"), _prompt_completion),
    "text": (("text",), _text),
    "prompt": (("prompt",), _prompt),
}
