"""Calls in the notation of others."""

from __future__ import annotations

import time

import pytest

from cesello.domain.stray_call import has_stray_call

CALLS = [
    '{"name": "f", "arguments": {}}',
    '```json\n{"name": "f", "parameters": {"a": 1}}\n```',
    'Let me see: {"a": 1} {"name": "f", "arguments": {}} so.',
    '[{"name": "f", "arguments": {}}]',
    '{"tool_calls": [{"id": 1}]}',
    '{"type": "function", "function": {"name": "f", "arguments": "{}"}}',
    "[f(x=1)]",
    "[f(x=1), g.h(y='2')]",
    "f()",
    "```\nf(x=1)\n```",
    "`f(x=1)`",
    "I call add(1, 2) for that.",
    "<tool_call>",
    "<TOOL_CALL>{}",
    "<tool_call",
    "</Tool_Call>",
    "<function=f>",
    "<function_call>f</function_call>",
    "[TOOL_CALLS] f",
    "<|python_tag|>f",
]
WORDS = [
    "",
    "Dante Alighieri wrote it (in 1321).",
    "Rome(Italy)",
    "sin(x)",
    "A set is written {1, 2}.",
    '{"name": "Dante"}',
    "No function fits; a tool call is not needed.",
    "I add nothing.",
    "[1, 2]",
    "(see above)",
    "[]",
]


@pytest.mark.parametrize("text", CALLS)
def test_a_call(text: str) -> None:
    assert has_stray_call(text, ["add"])


@pytest.mark.parametrize("text", WORDS)
def test_words(text: str) -> None:
    assert not has_stray_call(text, ["add", ""])


@pytest.mark.parametrize(
    "piece", ["{", "[", "(", '{"a":', "f(", "f(\n", "<", "</tool", " ", "\n", "f.", "a", "`"]
)
def test_long_text_is_read_soon(piece: str) -> None:
    begun = time.monotonic()
    assert not has_stray_call(piece * 100_000, ["add"])
    assert time.monotonic() - begun < 1
