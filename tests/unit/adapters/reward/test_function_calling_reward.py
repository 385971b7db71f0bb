from __future__ import annotations

from typing import Any

import pytest

from cesello.adapters.reward.function_calling_reward import FunctionCallingReward
from cesello.domain.chatml import call_as_text
from cesello.domain.conversation import Conversation, Message, Role, ToolCall

REFERENCE = [{"add": {"a": [1, 1.5], "unit": ["", "kg"]}}]


def prompt(reference: Any = REFERENCE) -> Conversation:
    return Conversation((Message(Role.USER, "Add one."),), reference={"calls": reference})


def calls(*made: tuple[str, str]) -> str:
    return "\n".join(call_as_text(ToolCall(name, arguments)) for name, arguments in made)


CASES = [
    (calls(("add", '{"a": 1}')), 3, ()),
    ("Let me add.\n" + calls(("add", '{"a": 1.5, "unit": "KG"}')), 3, ()),
    (calls(("add", '{"a": 2}')), 2, ("wrong_arguments",)),
    (calls(("add", '{"a": 1, "b": 2}')), 2, ("wrong_arguments",)),
    (calls(("sub", '{"a": 1}')), 1, ("wrong_function",)),
    (calls(("add", '{"a": 1}'), ("add", '{"a": 1}')), 1, ("wrong_function",)),
    ("<tool_call>{</tool_call>", 0, ("invalid_json",)),
    ('<tool_call>{"name": "add"}</tool_call>', 0, ("invalid_json",)),
    ("The sum is two.", 0, ("no_call",)),
    ("", 0, ("no_call",)),
]


@pytest.mark.parametrize(("completion", "reached", "reasons"), CASES)
def test_each_part_is_reached_after_the_one_before(
    completion: str, reached: int, reasons: tuple[str, ...]
) -> None:
    result = FunctionCallingReward().score(prompt(), completion)
    assert list(result.parts.values()) == [1.0] * reached + [0.0] * (3 - reached)
    assert list(result.parts) == ["valid_json", "right_function", "exact_call"]
    assert result.score == pytest.approx(reached / 3)
    assert result.reasons == reasons


@pytest.mark.parametrize("reference", [None, []])
def test_without_a_reference_it_does_not_apply(reference: Any) -> None:
    result = FunctionCallingReward().score(prompt(reference), calls(("add", "{}")))
    assert (result.score, result.parts, result.reasons) == (None, {}, ("no_reference",))
