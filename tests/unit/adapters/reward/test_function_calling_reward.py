from __future__ import annotations

from typing import Any

import pytest

from cesello.adapters.reward.function_calling_reward import FunctionCallingReward
from cesello.domain.chatml import call_as_text
from cesello.domain.conversation import Conversation, Message, Role, ToolCall, ToolSpec
from cesello.domain.reward import Attempt, RewardResult

REFERENCE = [{"add": {"a": [1, 1.5], "unit": ["", "kg"]}}]
ADD = ToolSpec(
    "add",
    "",
    {
        "properties": {"a": {"type": "number"}, "unit": {"type": "string", "enum": ["kg", "lb"]}},
        "required": ["a"],
    },
)


def score(
    completion: str, reference: Any = REFERENCE, tools: tuple[ToolSpec, ...] = (), /, **more: Any
) -> RewardResult:
    prompt = Conversation((Message(Role.USER, "Add one."),), tools, {"calls": reference} | more)
    [result] = FunctionCallingReward().score([Attempt(prompt, completion)])
    return result


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
    result = score(completion)
    assert list(result.parts.values()) == [1.0] * reached + [0.0] * (3 - reached)
    assert list(result.parts) == ["valid_json", "right_function", "exact_call"]
    assert result.score == pytest.approx(reached / 3)
    assert result.reasons == reasons


def test_without_a_reference_it_does_not_apply() -> None:
    result = score(calls(("add", "{}")), None)
    assert (result.score, result.parts, result.reasons) == (None, {}, ("no_reference",))


@pytest.mark.parametrize(
    ("completion", "reached", "reasons"),
    [
        ("No tool of mine can sing.", 3, ()),
        (calls(("add", '{"a": 1}')), 0, ("needless_call",)),
        ("I'd rather <tool_call>{", 0, ("needless_call",)),
        ("", 0, ("empty",)),
        (" \n", 0, ("empty",)),
        ("x", 0, ("too_short",)),
        ("\n.", 0, ("too_short",)),
        ("No.", 0, ("too_short",)),
        ("Yes.", 3, ()),
        ("Add one.", 0, ("echo",)),
        (" add ONE\n", 0, ("echo",)),
        ("Add one. Add one. Ok", 0, ("echo",)),
        ("Add one. That makes two.", 3, ()),
        ('{"name": "add", "arguments": {}}', 0, ("needless_call",)),
        ("[add(a=1)]", 0, ("needless_call",)),
        ("I would add(1).", 0, ("needless_call",)),
        ('<TOOL_CALL>{"name": "f", "arguments": {}}</TOOL_CALL>', 0, ("needless_call",)),
    ],
)
def test_where_no_tool_fits_words_are_right_and_a_call_is_wrong(
    completion: str, reached: int, reasons: tuple[str, ...]
) -> None:
    result = score(completion, [], (ADD,))
    assert (result.score, result.reasons) == (reached / 3, reasons)


@pytest.mark.parametrize(
    ("completion", "reached", "reasons"),
    [
        (calls(("add", '{"a": 1, "unit": "kg"}')), 3, ()),
        (calls(("add", '{"a": "1"}')), 2, ("wrong_arguments", "wrong_type")),
        (calls(("add", '{"b": 1}')), 2, ("wrong_arguments", "missing_parameter", "unknown_parameter")),
        (calls(("add", '{"a": 1, "unit": "g"}')), 2, ("wrong_arguments", "value_not_listed")),
        # The reference takes KG for kg, the tool does not.
        (calls(("add", '{"a": 1, "unit": "KG"}')), 2, ("wrong_arguments", "value_not_listed")),
        (calls(("sub", '{"a": 1}')), 1, ("wrong_function", "unknown_function")),
    ],
)
def test_what_the_tools_do_not_allow_is_wrong_and_named(
    completion: str, reached: int, reasons: tuple[str, ...]
) -> None:
    result = score(completion, REFERENCE, (ADD,))
    assert result.score == pytest.approx(reached / 3)
    assert result.reasons == reasons


def test_a_breach_that_the_reference_makes_itself_is_the_data_s() -> None:
    assert score(calls(("add", '{"unit": "kg"}')), [{"add": {"unit": ["kg"]}}], (ADD,)).score == 1


def test_parallel_calls_come_in_any_order() -> None:
    reference = [{"add": {"a": [1]}}, {"add": {"a": [2]}}]
    assert score(calls(("add", '{"a": 2}'), ("add", '{"a": 1}')), reference).score == 1


def test_every_depth_of_nesting_is_judged() -> None:
    for depth in range(850, 1_010, 3):
        deep = '{"a": ' + "[" * depth + "]" * depth + "}"
        assert score(f'<tool_call>{{"name": "add", "arguments": {deep}}}</tool_call>').score in (0, 2 / 3)
