"""What of a call its tool does not allow."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cesello.domain.conversation import ToolCall, ToolSpec
from cesello.domain.tool_schema import breaches

TOOL = ToolSpec(
    "find",
    "",
    {
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "most": {"type": "integer"},
            "unit": {"type": "string", "enum": ["kg", "lb"]},
            "where": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]},
            "names": {"type": "array", "items": {"type": ["string", "null"]}},
            "any": {},
        },
        "required": ["text"],
    },
)


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [
        ({"text": "a"}, ()),
        ({"text": "a", "most": 2.0, "unit": "kg", "where": {"x": 1, "y": 2}, "names": ["a", None]}, ()),
        ({"text": "a", "any": object}, ()),
        ({}, ("missing_parameter",)),
        ({"text": "a", "txt": "b"}, ("unknown_parameter",)),
        ({"text": 1}, ("wrong_type",)),
        ({"text": "a", "most": True}, ("wrong_type",)),
        ({"text": "a", "most": 1.5}, ("wrong_type",)),
        ({"text": "a", "most": "1"}, ("wrong_type",)),
        ({"text": "a", "unit": "g"}, ("value_not_listed",)),
        ({"text": "a", "where": {}}, ("missing_parameter",)),
        ({"text": "a", "where": {"x": "1"}}, ("wrong_type",)),
        ({"text": "a", "names": ["a", 1, 2]}, ("wrong_type",)),
        ({"txt": 1, "most": "1"}, ("missing_parameter", "unknown_parameter", "wrong_type")),
    ],
)
def test_breaches(arguments: dict[str, Any], codes: tuple[str, ...]) -> None:
    call = ToolCall("find", json.dumps(arguments, default=str))
    assert breaches([call], [TOOL]) == codes


def test_another_function_is_unknown_and_without_tools_nothing_is() -> None:
    assert breaches([ToolCall("seek", "{}")], [TOOL]) == ("unknown_function",)
    assert breaches([ToolCall("seek", "{}")], []) == ()


@pytest.mark.parametrize("schema", [{}, {"properties": []}, {"required": "text"}, {"properties": {"a": 1}}])
def test_a_malformed_schema_forbids_nothing(schema: dict[str, Any]) -> None:
    assert breaches([ToolCall("f", '{"a": 1}')], [ToolSpec("f", "", schema)]) == ()
