"""Whether a call fits the tool it names: the part of JSON schema that tools are described with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .conversation import ToolCall, ToolSpec, tools_named

MISSING = "missing_parameter"
UNKNOWN = "unknown_parameter"
UNLISTED = "value_not_listed"
WRONG_TYPE = "wrong_type"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    # JSON has one kind of number: 2.0 is an integer.
    "integer": lambda value: _is_number(value) and (isinstance(value, int) or value.is_integer()),
}


def breaches(calls: Sequence[ToolCall], tools: Sequence[ToolSpec]) -> tuple[str, ...]:
    """What of the calls their tools do not allow, as reason codes, each once.

    Where no tools are given nothing is known, and nothing is a breach. A keyword of JSON schema that tools
    do not use is not looked at.
    """
    if not tools:
        return ()
    found = dict.fromkeys(code for call in calls for code in _breaches_of(call, tools))
    return tuple(found)


def _breaches_of(call: ToolCall, tools: Sequence[ToolSpec]) -> Iterator[str]:
    tool = tools_named(tools, call.name)
    if tool is None:
        yield "unknown_function"
        return
    yield from _object(call.decoded(), {"additionalProperties": False} | dict(tool.parameters))


def _value(value: Any, schema: Any) -> Iterator[str]:
    if not isinstance(schema, Mapping):
        return
    wanted = schema.get("type")
    names = [wanted] if isinstance(wanted, str) else wanted if isinstance(wanted, list) else []
    known = [_TYPES[name] for name in names if name in _TYPES]
    if known and not any(fits(value) for fits in known):
        yield WRONG_TYPE
        return
    choices = schema.get("enum")
    if isinstance(choices, list) and not any(_same(value, choice) for choice in choices):
        yield UNLISTED
    if isinstance(value, dict):
        yield from _object(value, schema)
    elif isinstance(value, list):
        for item in value:
            yield from _value(item, schema.get("items"))


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _object(given: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    known = schema.get("properties")
    required = schema.get("required")
    if isinstance(required, list) and any(name not in given for name in required):
        yield MISSING
    if not isinstance(known, Mapping):
        return
    for name, value in given.items():
        if name in known:
            yield from _value(value, known[name])
        elif schema.get("additionalProperties") is False:
            yield UNKNOWN
