"""Golden cases: completions of which a person knows what a reward should say.

- name: factorial                          optional
  prompt: Write a function `factorial`.    or messages, as in a row of data
  tools: [...]                             optional
  reference: {tests: [...]}                what the grader may know of the row; optional
  passes: [...]                            right answers
  fails: [...]                             honest wrong answers
  hacks: [...]                             what wants the score without the work; optional
  ladder: [...]                            from the worst to the best; optional
  without: [echo, prefix]                  probes that are no hacks here; optional
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .conversation import Conversation, Message, Role
from .function_rows import tool_specs


class Probe(StrEnum):
    """What is tried on every case besides what it lists."""

    EMPTY = "empty"
    WHITESPACE = "whitespace"
    ECHO = "echo"
    FLATTERY = "flattery"
    TESTS = "tests"
    EXIT = "exit"
    ALWAYS_EQUAL = "always_equal"
    PREFIX = "prefix"
    PADDED = "padded"
    REPEATED = "repeated"
    OTHER_ANSWER = "other_answer"
    MANY = "many"


@dataclass(frozen=True, slots=True)
class GoldenCase:
    """A prompt with completions that are known to be good and bad; see the module's text."""

    name: str
    prompt: Conversation
    passes: tuple[str, ...]
    fails: tuple[str, ...]
    hacks: tuple[str, ...] = ()
    ladder: tuple[str, ...] = ()
    without: frozenset[Probe] = frozenset()


_LISTS = ("passes", "fails", "hacks", "ladder")
_KEYS = ("name", "prompt", "messages", "tools", "reference", *_LISTS, "without")


def case_of(values: Any, name: str) -> GoldenCase:
    """A case as it is written.

    Args:
        name: what it is called where it says nothing.

    Raises:
        ValueError: saying what is malformed.
    """
    if not isinstance(values, Mapping):
        raise ValueError("a case is a map of keys")
    if unknown := [key for key in values if key not in _KEYS]:
        raise ValueError(f'unknown key "{unknown[0]}"; the keys are {", ".join(_KEYS)}')
    lists = {key: _texts(key, values.get(key)) for key in _LISTS}
    for key in ("passes", "fails"):
        if not lists[key]:
            raise ValueError(f"{key} is missing or empty; a case needs both right and wrong answers")
    called = values.get("name", name)
    if not isinstance(called, str):
        raise ValueError("name is no text")
    return GoldenCase(called, _prompt(values), **lists, without=_probes(values.get("without")))


def _texts(key: str, value: Any) -> tuple[str, ...]:
    if not (value is None or (isinstance(value, list) and all(isinstance(one, str) for one in value))):
        raise ValueError(f"{key} is no list of texts; put a number between quotes")
    return tuple(value or ())


def _probes(value: Any) -> frozenset[Probe]:
    known = [probe.value for probe in Probe]
    for name in _texts("without", value):
        if name not in known:
            raise ValueError(f'without names "{name}"; the probes are {", ".join(known)}')
    return frozenset(map(Probe, value or ()))


def _prompt(values: Mapping[str, Any]) -> Conversation:
    if ("prompt" in values) == ("messages" in values):
        raise ValueError("a case has a prompt or messages, one of the two")
    reference = values.get("reference", {})
    if not isinstance(reference, Mapping):
        raise ValueError("reference is no map of keys")
    try:
        tools = tool_specs(values.get("tools"))
        return Conversation(_messages(values), tools, reference)
    except (AttributeError, KeyError, TypeError) as cause:
        raise ValueError(f"messages or tools are not as in a row of data ({cause!r})") from cause


def _messages(values: Mapping[str, Any]) -> tuple[Message, ...]:
    if "prompt" in values:
        if not isinstance(values["prompt"], str):
            raise ValueError("prompt is no text")
        return (Message(Role.USER, values["prompt"]),)
    turns = tuple(Message(Role(turn["role"]), turn["content"]) for turn in values["messages"])
    if not turns or not all(isinstance(turn.content, str) for turn in turns):
        raise ValueError("messages are turns with a role and content")
    return turns
