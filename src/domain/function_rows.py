"""The shapes in which function-calling data comes.

bfcl    question, function, ground_truth             (the Berkeley leaderboard, answers joined in)
xlam    query, tools, answers                        (JSON texts)
glaive  system, chat                                 (``USER: ... ASSISTANT: <functioncall> {...}``)
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .conversation import Conversation, Message, Role, ToolCall, ToolSpec
from .function_match import first_choice

_JSON_TYPES = {"dict": "object", "float": "number", "tuple": "array", "any": "string"}
_GLAIVE_TURN = re.compile(r"^(USER|ASSISTANT|FUNCTION RESPONSE):", re.MULTILINE)
_GLAIVE_CALL = re.compile(r"<functioncall>\s*(\{.*\})\s*", re.DOTALL)
_GLAIVE_ARGUMENTS = re.compile(r'"arguments":\s*\'(.*)\'\s*\}\s*\Z', re.DOTALL)


def tool_specs(value: Any) -> tuple[ToolSpec, ...]:
    """Tool specs in OpenAI's form or bare, as a list or as JSON text; nothing gives an empty tuple."""
    if not value:
        return ()
    listed = json.loads(value) if isinstance(value, str) else value
    functions = [spec.get("function", spec) for spec in listed]
    return tuple(
        ToolSpec(
            spec["name"],
            spec.get("description") or "",
            _schema(spec.get("parameters") or {}),
        )
        for spec in functions
    )


def _schema(value: Any) -> Any:
    """A JSON schema, where a source writes Python's names of types, and without None."""
    if isinstance(value, Mapping):
        return {
            key: _JSON_TYPES.get(item, item) if key == "type" and isinstance(item, str) else _schema(item)
            for key, item in value.items()
            if item is not None
        }
    return [_schema(item) for item in value] if isinstance(value, list) else value


def pruned(value: Any) -> Any:
    """Without the None that Arrow puts where another row of the table has a key."""
    if isinstance(value, Mapping):
        return {key: pruned(item) for key, item in value.items() if item is not None}
    return [pruned(item) for item in value] if isinstance(value, list) else value


def bfcl(values: Mapping[str, Any]) -> Conversation:
    """A question with its functions; the answer is a call the ground truth accepts.

    Where none does, no function fits, and what should be said instead is not told.
    """
    (turns,) = values["question"]
    reference = values["ground_truth"]
    calls = tuple(first_choice(wanted) for wanted in reference)
    messages = tuple(Message(Role(turn["role"]), turn["content"]) for turn in turns)
    answer = (Message(Role.ASSISTANT, "", calls),) if calls else ()
    return Conversation((*messages, *answer), tool_specs(values["function"]), {"calls": reference})


def xlam(values: Mapping[str, Any]) -> Conversation:
    """A query, tools and the right calls."""
    answers = values["answers"]
    # A null in JSON text is the data's own, and not Arrow's.
    calls = [
        _xlam_call(call) for call in (json.loads(answers) if isinstance(answers, str) else pruned(answers))
    ]
    reference = [{call.name: _only_choices(call.decoded())} for call in calls]
    answer = (Message(Role.ASSISTANT, "", tuple(calls)),) if calls else ()
    turns = (Message(Role.USER, values["query"]), *answer)
    return Conversation(turns, tool_specs(values["tools"]), {"calls": reference})


def _xlam_call(call: Mapping[str, Any]) -> ToolCall:
    arguments = call["arguments"]
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return ToolCall(call["name"], text)


def _only_choices(arguments: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Arguments as a reference that accepts nothing else, inner objects likewise."""
    return {key: [_only_choice(value)] for key, value in arguments.items()}


def _only_choice(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _only_choices(value)
    return [_only_choice(item) for item in value] if isinstance(value, list) else value


def glaive(values: Mapping[str, Any]) -> Conversation:
    """A chat written out as one text, its functions inside the system text."""
    system, functions = _glaive_system(re.sub(r"^\s*SYSTEM:\s*", "", values["system"]).strip())
    before, *parts = _GLAIVE_TURN.split(values["chat"].strip())
    if before:
        raise ValueError("chat does not begin with USER:, ASSISTANT: or FUNCTION RESPONSE:")
    turns = [
        _glaive_turn(speaker, text.replace("<|endoftext|>", "").strip())
        for speaker, text in zip(parts[::2], parts[1::2], strict=True)
    ]
    if not turns:
        raise ValueError("chat has no turns")
    opening = [Message(Role.SYSTEM, system)] if system else []
    return Conversation((*opening, *turns), tool_specs(functions))


def _glaive_system(text: str) -> tuple[str, list[Any]]:
    """The system text without its functions, and without the dash that leads to them; the functions."""
    kept, functions, position = [], [], 0
    for value, start, end in _json_objects(text):
        if _is_function(value):
            functions.append(value)
            kept.append(text[position:start].strip().removesuffix("-").strip())
            position = end
    kept.append(text[position:].strip())
    return "\n\n".join(filter(None, kept)), functions


def _is_function(value: Mapping[str, Any]) -> bool:
    """Whether an object is a function's spec, and not an example of something else."""
    spec = value.get("function", value)
    return isinstance(spec, Mapping) and "name" in spec and bool({"description", "parameters"} & spec.keys())


def _glaive_turn(speaker: str, text: str) -> Message:
    if speaker != "ASSISTANT":
        return Message(Role.USER if speaker == "USER" else Role.TOOL, text)
    found = _GLAIVE_CALL.search(text)
    if not found:
        return Message(Role.ASSISTANT, text)
    if text[found.end() :].strip():
        raise ValueError("an answer goes on after its call")
    return Message(Role.ASSISTANT, text[: found.start()].strip(), (_glaive_call(found.group(1)),))


def _glaive_call(text: str) -> ToolCall:
    """Glaive wraps the JSON of the arguments in single quotes, which JSON does not know."""
    quoted = _GLAIVE_ARGUMENTS.search(text)
    if quoted:
        name = json.loads(text[: quoted.start()].rstrip(", \n") + "}")["name"]
        call = ToolCall(name, quoted.group(1).replace("\\'", "'"))
        call.decoded()
        return call
    value = json.loads(text)
    return ToolCall(value["name"], json.dumps(value.get("arguments", {}), ensure_ascii=False))


def _json_objects(text: str) -> Iterator[tuple[Mapping[str, Any], int, int]]:
    """The JSON objects inside a text with their start and end, in order; what is no JSON is passed over."""
    decoder, position = json.JSONDecoder(), 0
    while (start := text.find("{", position)) >= 0:
        try:
            value, position = decoder.raw_decode(text, start)
        except ValueError:
            position = start + 1
        else:
            yield value, start, position
