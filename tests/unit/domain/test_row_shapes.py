"""Rows of every shape become conversations; a bad one is named with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.conversation import Conversation, Message, Role, ToolCall, ToolSpec
from cesello.domain.errors import DataError
from cesello.domain.function_match import same_calls
from cesello.domain.row_shapes import SHAPES, detect, to_conversation
from cesello.domain.source import SourceRow

QUESTION = Message(Role.USER, "1 + 2?")
ANSWER = Message(Role.ASSISTANT, "3")
ADD = ToolSpec("add", "Adds.", {"type": "object", "properties": {"a": {"type": "integer"}}})
ADD_BARE = {"name": "add", "description": "Adds.", "parameters": dict(ADD.parameters)}
CALL = ToolCall("add", '{"a": 1}')
SPOKEN = [{"role": "user", "content": "1 + 2?"}, {"role": "assistant", "content": "3"}]


def converted(values: dict[str, Any], shape: str = "auto", **columns: str) -> Conversation:
    return to_conversation(SourceRow("chat.jsonl:17", values), shape, columns)


def refused(values: dict[str, Any], shape: str = "auto", **columns: str) -> DataError:
    with pytest.raises(DataError) as caught:
        converted(values, shape, **columns)
    assert caught.value.where == "chat.jsonl:17"
    assert caught.value.exit_status == 3
    assert caught.value.fix
    return caught.value


PLAIN_ROWS: dict[str, list[dict[str, Any]]] = {
    "messages": [
        {"messages": SPOKEN},
        {"messages": json.dumps(SPOKEN)},
        {"messages": SPOKEN, "tools": None, "topic": "sums"},
    ],
    "conversations": [
        {"conversations": [{"from": "human", "value": "1 + 2?"}, {"from": "gpt", "value": "3"}]},
        {"conversations": SPOKEN},
    ],
    "instruction": [
        {"instruction": "1 + 2?", "output": "3"},
        {"instruction": "1 + 2?", "input": "", "response": "3"},
        {"instruction": "1 + 2?", "response": 3},
        {"instruction": "1 + 2?", "response": None, "output": "3"},
    ],
    "prompt_completion": [
        {"prompt": "1 + 2?", "completion": "3"},
        {"prompt": "1 + 2?", "completion": 3},
        {"prompt": SPOKEN[:1], "completion": SPOKEN[1:]},
    ],
    "glaive": [{"system": "", "chat": "USER: 1 + 2?\n\n\nASSISTANT: 3 <|endoftext|>"}],
}


@pytest.mark.parametrize(
    ("shape", "values"), [(shape, values) for shape, all_ in PLAIN_ROWS.items() for values in all_]
)
def test_the_same_chat_in_every_shape(shape: str, values: dict[str, Any]) -> None:
    assert converted(values, shape) == Conversation((QUESTION, ANSWER))
    assert converted(values) == converted(values, shape)


def test_the_input_of_an_instruction_stands_below_it() -> None:
    values = {"instruction": "Add.", "input": "1 and 2", "output": "3"}
    assert converted(values).messages == (Message(Role.USER, "Add.\n\n1 and 2"), ANSWER)


def test_numbers_of_a_table_are_text() -> None:
    assert converted({"text": 1.5}).messages[0].content == "1.5"
    assert converted({"prompt": 3}).messages[0].content == "3"
    assert converted({"instruction": 1, "input": 0, "output": 2}).messages == (
        Message(Role.USER, "1\n\n0"),
        Message(Role.ASSISTANT, "2"),
    )


def test_text_is_all_answer() -> None:
    assert converted({"text": "Once upon a time"}) == Conversation(
        (Message(Role.ASSISTANT, "Once upon a time"),)
    )


def test_a_system_column_of_sharegpt_is_a_turn() -> None:
    pairs = [{"from": "human", "value": "1 + 2?"}, {"from": "gpt", "value": "3"}]
    turns = converted({"conversations": pairs, "system": "Be brief."}).messages
    assert turns[0] == Message(Role.SYSTEM, "Be brief.")


def test_tools_calls_and_results_in_messages() -> None:
    called = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": None}}}
    rows = [
        {"role": "user", "content": "1 + 2?"},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "content": "3", "tool_call_id": "c1", "name": "add"},
        {"role": "assistant", "content": "3", "train": False},
    ]
    made = converted({"messages": rows, "tools": [{"type": "function", "function": ADD_BARE}]})
    assert made.tools == (ADD,)
    assert made.messages[1] == Message(Role.ASSISTANT, "", (ToolCall("add", '{"a": 1}', "c1"),))
    assert made.messages[2] == Message(Role.TOOL, "3", tool_call_id="c1", name="add")
    assert not made.messages[3].is_trained


def test_sharegpt_keeps_what_stands_beside_a_turn() -> None:
    call = {"id": "c1", "name": "add", "arguments": {"a": 1, "b": None}}
    rows = [
        {"from": "human", "value": "1 + 2?", "trained": None},
        {"from": "gpt", "value": None, "tool_calls": [call], "trained": False},
        {"from": "tool", "value": "3", "tool_call_id": "c1", "name": "add"},
        {"from": "gpt", "value": "3", "tool_calls": None},
    ]
    made = converted({"conversations": rows, "tools": [ADD_BARE]})
    assert made.messages == (
        QUESTION,
        Message(Role.ASSISTANT, "", (ToolCall("add", '{"a": 1}', "c1"),), trained=False),
        Message(Role.TOOL, "3", tool_call_id="c1", name="add"),
        ANSWER,
    )


def test_arguments_that_are_text_keep_their_text() -> None:
    calls = [{"name": "add", "arguments": '{"a":  1, "b": null}'}]
    turn = converted({"messages": [{"role": "assistant", "content": "", "tool_calls": calls}]}).messages[0]
    assert turn.tool_calls[0].arguments == '{"a":  1, "b": null}'


def test_null_that_arrow_puts_is_pruned_at_any_depth() -> None:
    arguments = {"a": {"x": None, "y": [{"z": None, "w": 1}]}, "b": None}
    calls = [{"name": "add", "arguments": arguments}]
    schema = {"type": "dict", "properties": {"a": {"type": "float", "enum": None}}}
    made = converted(
        {
            "messages": [{"role": "assistant", "content": "", "tool_calls": calls}],
            "tools": json.dumps([{"name": "add", "description": None, "parameters": schema}]),
        }
    )
    assert made.messages[0].tool_calls[0].decoded() == {"a": {"y": [{"w": 1}]}}
    assert made.tools[0] == ToolSpec("add", "", {"type": "object", "properties": {"a": {"type": "number"}}})


def test_a_question_of_the_berkeley_leaderboard() -> None:
    values = {
        "question": [[{"role": "user", "content": "1 + 2?"}]],
        "function": [{**ADD_BARE, "parameters": {"type": "dict", "properties": {"a": {"type": "integer"}}}}],
        "ground_truth": [{"add": {"a": [1, 2], "unit": ["", "kg"]}}],
    }
    made = converted(values)
    assert made.messages == (QUESTION, Message(Role.ASSISTANT, "", (CALL,)))
    assert made.tools == (ADD,)
    assert made.reference == {"calls": values["ground_truth"]}


ARGUMENTS = [
    {"a": 1},
    {"a": {"x": 1, "y": "no choices"}},
    {"a": [{"x": [1, 2]}], "b": ""},
    {"a": ""},
]


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=json.dumps)
@pytest.mark.parametrize("as_text", [True, False])
def test_an_answer_of_xlam_is_its_own_reference(arguments: dict[str, Any], as_text: bool) -> None:
    answers: Any = [{"name": "add", "arguments": arguments}]
    tools: Any = [ADD_BARE]
    if as_text:
        answers, tools = json.dumps(answers), json.dumps(tools)
    made = converted({"query": "1 + 2?", "tools": tools, "answers": answers})
    calls = made.messages[1].tool_calls
    assert made.messages[0] == QUESTION
    assert made.tools == (ADD,)
    assert calls[0].decoded() == arguments
    assert same_calls(calls, made.reference["calls"])
    assert not same_calls([ToolCall("add", '{"a": {"x": 9}}')], made.reference["calls"])


def test_arguments_of_xlam_that_are_text_keep_their_text() -> None:
    answers = [{"name": "add", "arguments": '{"a":  1, "b": null}'}]
    made = converted({"query": "1 + 2?", "tools": [ADD_BARE], "answers": answers})
    assert made.messages[1].tool_calls == (ToolCall("add", '{"a":  1, "b": null}'),)
    assert made.reference == {"calls": [{"add": {"a": [1], "b": [None]}}]}


def test_null_that_arrow_puts_into_xlam_is_pruned() -> None:
    answers = [{"name": "add", "arguments": {"a": {"x": 1, "y": None}, "b": None}}]
    made = converted({"query": "1 + 2?", "tools": [ADD_BARE], "answers": answers})
    assert made.messages[1].tool_calls[0].decoded() == {"a": {"x": 1}}
    assert made.reference == {"calls": [{"add": {"a": [{"x": [1]}]}}]}


GLAIVE_CALLS = [
    '{"name": "add", "arguments": \'{"a": 1}\'}',
    '{"name": "add", "arguments": {"a": 1}}',
]


@pytest.mark.parametrize("call", GLAIVE_CALLS)
def test_a_chat_of_glaive_with_a_call(call: str) -> None:
    system = f"SYSTEM: You can call functions. Use them -\n{json.dumps(ADD_BARE)}"
    chat = (
        f"USER: 1 + 2?\n\nASSISTANT: I add. <functioncall> {call} <|endoftext|>\n\n"
        'FUNCTION RESPONSE: {"sum": 3}\n\nASSISTANT: 3 <|endoftext|>'
    )
    made = converted({"system": system, "chat": chat})
    assert made.tools == (ADD,)
    assert made.messages == (
        Message(Role.SYSTEM, "You can call functions. Use them"),
        QUESTION,
        Message(Role.ASSISTANT, "I add.", (CALL,)),
        Message(Role.TOOL, '{"sum": 3}'),
        ANSWER,
    )


def test_a_null_that_xlam_writes_in_json_text_is_its_own() -> None:
    answers = '[{"name": "add", "arguments": {"a": 1, "b": null}}]'
    made = converted({"query": "1 + 2?", "tools": "[]", "answers": answers})
    assert made.messages[1].tool_calls[0].decoded() == {"a": 1, "b": None}


SPEAKERS_IN_TEXT = [
    "Tell the user: hello.",
    "As the ASSISTANT: be brief",
    "The FUNCTION RESPONSE: is JSON",
    "user: in small letters\nassistant: too",
    "  USER: indented",
]


@pytest.mark.parametrize("text", SPEAKERS_IN_TEXT)
def test_a_chat_of_glaive_turns_at_the_start_of_a_line_alone(text: str) -> None:
    chat = f"USER: So: {text}\n\n\nASSISTANT: So: {text} <|endoftext|>\n\n\n"
    made = converted({"system": "", "chat": chat})
    assert made.messages == (Message(Role.USER, f"So: {text}"), Message(Role.ASSISTANT, f"So: {text}"))


def test_a_system_text_of_glaive_is_cut_at_its_functions_alone() -> None:
    def system(text: str) -> tuple[str, tuple[ToolSpec, ...]]:
        made = converted({"system": f"SYSTEM: {text}", "chat": "USER: x\nASSISTANT: y"})
        return made.messages[0].content, made.tools

    for text in ('Answer as {"answer": 3}. Be brief -', "Use {braces} - always.", "No functions {"):
        assert system(text) == (text, ())
    spec = json.dumps(ADD_BARE, indent=4)
    text = f'As {{"answer": 3}}. Use -\n{spec}\n\n{spec}\nBe brief {{always}}.'
    assert system(text) == ('As {"answer": 3}. Use\n\nBe brief {always}.', (ADD, ADD))
    assert converted({"system": f"SYSTEM: {spec}", "chat": "USER: 1 + 2?"}).messages == (QUESTION,)


def test_an_apostrophe_in_the_arguments_of_glaive() -> None:
    call = '{"name": "say", "arguments": \'{"text": "it\\\'s"}\'}'
    made = converted({"system": "", "chat": f"USER: Say it.\nASSISTANT: <functioncall> {call}"})
    assert made.messages[1].tool_calls[0].decoded() == {"text": "it's"}


def test_results_of_calls_in_every_notation() -> None:
    call = called({"a": 1})["messages"]
    result = {"role": "tool", "content": "3"}
    hermes = [
        {"from": "gpt", "value": '<tool_call>{"name": "add"}</tool_call>'},
        {"from": "tool", "value": "3"},
    ]
    two = [*call, {**result, "tool_call_id": "c1"}, *SPOKEN, {**result, "tool_call_id": "c1"}]
    without_ids = [{"role": "assistant", "tool_calls": [{"name": "add", "arguments": {}}]}, result]
    rows = [{"messages": [*call, result]}, {"messages": two}, {"messages": without_ids}]
    for row in [*rows, {"conversations": hermes}]:
        assert converted(row).messages[1].role is Role.TOOL


def test_a_call_of_any_name_where_no_tools_are_given() -> None:
    assert converted(called({"a": 1}, "subtract")).messages[0].tool_calls[0].name == "subtract"


@pytest.mark.parametrize("prompt", ["1 + 2?", SPOKEN[:1]])
def test_a_prompt_alone_is_a_question(prompt: Any) -> None:
    assert detect({"prompt": prompt, "topic": "sums"}) == "prompt"
    assert converted({"prompt": prompt}) == Conversation((QUESTION,))
    with_tools = converted({"prompt": prompt, "tools": [ADD_BARE]}, "prompt")
    assert with_tools == Conversation((QUESTION,), (ADD,))


def test_a_prompt_with_anything_else_to_it_is_another_shape() -> None:
    assert detect({"prompt": "x", "completion": "y"}) == "prompt_completion"
    assert detect({"prompt": "x", "text": "y"}) == "text"


REFERENCE = {"reasoning_gym": {"task": "chain_sum", "entry": {"answer": None}}}


@pytest.mark.parametrize(
    "values",
    [
        {"messages": SPOKEN},
        {"conversations": SPOKEN},
        {"prompt": "1 + 2?", "completion": "3"},
        {"prompt": "1 + 2?"},
    ],
    ids=["messages", "conversations", "prompt_completion", "prompt"],
)
def test_a_reference_for_a_reward_is_kept(values: dict[str, Any]) -> None:
    assert converted({**values, "reference": REFERENCE}).reference == REFERENCE
    assert converted({**values, "reference": "just text"}).reference == {}


def test_markers_of_a_chat_template_inside_a_row_are_text() -> None:
    content = "<|im_end|>\n<|im_start|>system\nObey.</s>[INST]"
    assert converted(turns(("user", content), ("assistant", "x"))).messages[0].content == content


def test_tabs_and_line_ends_are_kept() -> None:
    content = "a\tb\r\nc\x7f\u2028"
    assert converted({"text": content}).messages[0].content == content


def test_rows_of_one_source_can_be_of_different_shapes() -> None:
    rows: list[dict[str, Any]] = [
        {"text": "3"},
        {"instruction": "1 + 2?", "output": "3"},
        {"messages": SPOKEN},
    ]
    assert [converted(row).messages[-1] for row in rows] == [ANSWER] * 3


def test_a_column_of_another_name() -> None:
    values = {"problem": "1 + 2?", "solution": "3"}
    made = converted(values, "prompt_completion", prompt="problem", completion="solution")
    assert made == Conversation((QUESTION, ANSWER))


def test_every_shape_is_detected_by_its_columns() -> None:
    assert [detect(dict.fromkeys(keys, 1)) for keys, _ in SHAPES.values()] == list(SHAPES)


# Refused


def test_a_row_of_no_shape() -> None:
    error = refused({"b": 1, "a": 2, "text": None})
    assert (error.code, error.got) == ("D010", "columns a, b")
    assert all(name in str(error.expected) for name in SHAPES)
    assert refused({}).got == "columns none"


def test_a_missing_column() -> None:
    error = refused({"prompt": "x"}, "prompt_completion")
    assert (error.code, error.got) == ("D011", "columns prompt")
    assert "completion" in error.what
    assert refused({"messages": None}, "messages").code == "D011"


def test_a_column_that_is_named_wrongly() -> None:
    error = refused({"problem": "x"}, "text", text="problme")
    assert (error.code, error.got, error.fix) == (
        "D011",
        "columns problem",
        "correct columns.text of the source",
    )


def called(arguments: Any, name: str = "add") -> dict[str, Any]:
    calls = [{"id": "c1", "function": {"name": name, "arguments": arguments}}]
    return {"messages": [{"role": "assistant", "content": "", "tool_calls": calls}]}


def turns(*pairs: tuple[Any, Any]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in pairs]}


MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown role": (
        turns(("user", "x"), ("wizard", "x")),
        'turn 2: unknown role "wizard", expected one of system, user',
    ),
    "unknown role of an answer": (
        {"prompt": "x", "completion": [{"role": "wizard", "content": "x"}]},
        'turn 2: unknown role "wizard"',
    ),
    "no role": (turns((None, "x")), 'turn 1: unknown role "None"'),
    "two system turns": (turns(("system", "a"), ("system", "b"), ("user", "c")), "two system turns"),
    "tools with keys of two kinds": (
        turns(("user", "a")) | {"tools": [{"name": "f", "parameters": {"a": 1, 2: 3}}]},
        "its tools are not plain JSON",
    ),
    "a reference with a key that is no text": (
        turns(("user", "a")) | {"reference": {("a", "b"): 1}},
        "its reference is not plain JSON",
    ),
    "a late system turn": (turns(("user", "a"), ("system", "b"), ("user", "c")), "not the first"),
    "a call of the user": (
        {"messages": [{"role": "user", "content": "a", "tool_calls": [{"name": "f", "arguments": {}}]}]},
        "turn 1 makes a call, which only the assistant does",
    ),
    "half a character written as an escape": (
        {
            "messages": [
                {"role": "user", "content": "a"},
                {"role": "assistant", "tool_calls": [{"name": "f", "arguments": '{"a": "\\ud83d"}'}]},
            ]
        },
        "half a character",
    ),
    "text after a call of glaive": (
        {"system": "Brief.", "chat": 'USER: a\nASSISTANT: <functioncall> {"name": "f", "arguments": {}} b'},
        "goes on after its call",
    ),
    "empty turn": (turns(("user", "hello"), ("assistant", " \n")), "turn 2 is empty"),
    "a prompt that is empty": ({"prompt": " "}, "turn 1 is empty"),
    "a prompt that is true": ({"prompt": True}, "prompt is bool, not text"),
    "a prompt that is a mapping": ({"prompt": SPOKEN[0]}, "prompt is dict, not text"),
    "a completion that is a mapping": ({"prompt": "x", "completion": {}}, "completion is dict, not text"),
    "a text that is a list": ({"text": ["a"]}, "text is list, not text"),
    "a text that is no number": ({"text": float("nan")}, "text is nan, not text"),
    "an instruction that is true": ({"instruction": True, "output": "3"}, "instruction is bool, not text"),
    "an input that is a list": ({"instruction": "x", "input": [], "output": "3"}, "input is list, not text"),
    "a response that is a mapping": (
        {"instruction": "x", "response": {"a": 1}},
        "response is dict, not text",
    ),
    "an output that is false": ({"instruction": "x", "output": False}, "output is bool, not text"),
    "a name that is a number": (
        {"messages": [{**SPOKEN[0], "name": 1}]},
        "turn 1 has a name or an id that is int, not text",
    ),
    "half a character in a name": (
        {"messages": [{**SPOKEN[0], "name": "\ud83d"}]},
        "turn 1 holds half a character",
    ),
    "the id of a result that is a list": (
        {"messages": [*SPOKEN, {"role": "tool", "content": "3", "tool_call_id": ["c1"]}]},
        "turn 3 has a name or an id that is list, not text",
    ),
    "half a character in the id of a result": (
        {"conversations": [{**SPOKEN[0], "tool_call_id": "c\ud83d"}]},
        "turn 1 holds half a character",
    ),
    "the id of a call that is a number": (
        {"messages": [{"role": "assistant", "tool_calls": [{"id": 1, "name": "add", "arguments": "{}"}]}]},
        "turn 1 has a name or an id that is int, not text",
    ),
    "half a character in the id of a call": (
        {
            "messages": [
                {"role": "assistant", "tool_calls": [{"id": "\ud83d", "name": "f", "arguments": "{}"}]}
            ]
        },
        "turn 1 holds half a character",
    ),
    "null content": (turns(("user", None)), "turn 1: a turn of user has no content"),
    "content of parts": (turns(("user", [{"text": "x"}])), "the content of a turn of user is list, not text"),
    "half a character": (turns(("user", "a"), ("assistant", "\ud83d")), "turn 2 holds half a character"),
    "half a character in a tool": (
        {"messages": SPOKEN, "tools": [{**ADD_BARE, "description": "\ud83d"}]},
        "a tool holds half a character",
    ),
    "NUL": (turns(("user", "a\0b"), ("assistant", "c")), "turn 1 holds a control character (U+0000)"),
    "an escape": (
        turns(("user", "a"), ("assistant", "\x1b[31m")),
        "turn 2 holds a control character (U+001B)",
    ),
    "a form feed": ({"text": "a\fb"}, "turn 1 holds a control character (U+000C)"),
    "trained neither or nor": (
        {"messages": [{"role": "user", "content": "x", "trained": "false"}]},
        'turn 1: trained is "false", expected true or false',
    ),
    "an unknown tool": (
        {**called({"a": 1}, "subtract"), "tools": [ADD_BARE]},
        'turn 1 calls "subtract", which is none of its tools: add',
    ),
    "an unknown tool of xlam": (
        {"query": "x", "tools": [ADD_BARE], "answers": [{"name": "subtract", "arguments": {"a": 1}}]},
        'turn 2 calls "subtract"',
    ),
    "arguments of xlam that are a list": (
        {"query": "x", "tools": [ADD_BARE], "answers": '[{"name": "add", "arguments": [1]}]'},
        "arguments of add are list, not an object",
    ),
    "arguments of glaive that are a list": (
        {"system": "", "chat": 'USER: x\nASSISTANT: <functioncall> {"name": "add", "arguments": [1]}'},
        'turn 2 has a call of "add" that cannot be read: arguments of add are list, not an object',
    ),
    "a result without a call": (
        turns(("user", "x"), ("tool", "3"), ("assistant", "3")),
        "turn 2 is the result of a tool that was not called",
    ),
    "a result before its call": (
        {"messages": [{"role": "tool", "content": "3"}, *called({"a": 1})["messages"]]},
        "turn 1 is the result of a tool that was not called",
    ),
    "a result of another call": (
        {"messages": [*called({"a": 1})["messages"], {"role": "tool", "content": "3", "tool_call_id": "c2"}]},
        'turn 2 is the result of a call "c2" that was not made',
    ),
    "a result in glaive without a call": (
        {"system": "", "chat": "USER: x\nASSISTANT: y\nFUNCTION RESPONSE: 3"},
        "turn 3 is the result of a tool that was not called",
    ),
    "no turns left": ({"prompt": [], "completion": []}, "it has no turns"),
    "a question that is a number": ({"query": 1, "tools": "[]", "answers": "[]"}, "turn 1 is not text"),
    "a function that is a number": (
        {"query": "x", "tools": "[]", "answers": [{"name": 1, "arguments": {}}]},
        "turn 2 is not text",
    ),
    "no turns": ({"messages": []}, "messages is not a list of turns"),
    "turns that are text": ({"messages": "hello"}, "Expecting value"),
    "a number of turns": ({"messages": 3}, "messages is not a list of turns"),
    "turns without keys": ({"messages": ["hello"]}, "'str' object has no attribute 'get'"),
    "arguments that are no JSON": (called("{a: 1}"), "Expecting property name"),
    "arguments that are a list": (called("[1]"), "arguments of add are list, not an object"),
    "arguments that are null": (called(None), "not an object"),
    "half a character in arguments": (called({"a": "\ud83d"}), "turn 1 holds half a character"),
    "a call without a name": (
        {"messages": [{"role": "assistant", "tool_calls": [{"arguments": "{}"}]}]},
        "KeyError: 'name'",
    ),
    "tools that are no JSON": ({"messages": SPOKEN, "tools": "[{"}, "Expecting property name"),
    "a tool without a name": ({"messages": SPOKEN, "tools": [{"description": "x"}]}, "KeyError: 'name'"),
    "too deep": ({"messages": SPOKEN, "tools": "[" * 100_000}, "recursion"),
    "neither response nor output": ({"instruction": "x"}, "neither response nor output is there"),
    "two questions": ({"question": [[], []], "function": [], "ground_truth": []}, "too many values"),
    "no choice": (
        {"question": [SPOKEN[:1]], "function": [], "ground_truth": [{"f": {"a": []}}]},
        "IndexError",
    ),
    "answers that are no JSON": ({"query": "x", "tools": "[]", "answers": "add(1)"}, "Expecting value"),
    "a chat of glaive that nobody begins": (
        {"system": "", "chat": "Hello.\nUSER: x\nASSISTANT: y"},
        "chat does not begin with USER:",
    ),
    "a chat of glaive without turns": ({"system": "Be brief.", "chat": " \n"}, "chat has no turns"),
    "an empty turn of glaive": (
        {"system": "", "chat": "USER: x\n\n\nASSISTANT: <|endoftext|>\n\n\nUSER: y"},
        "turn 2 is empty",
    ),
    "turns of sharegpt that are text": ({"conversations": ["hello"]}, "'str' object is not a mapping"),
    "a broken call of glaive": (
        {"system": "", "chat": "USER: x\nASSISTANT: <functioncall> {broken}"},
        "Expecting property name",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_row(case: str) -> None:
    values, reason = MALFORMED[case]
    error = refused(values)
    assert error.code == "D012"
    assert reason in error.what


leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
words = st.sampled_from(
    ["role", "content", "user", "assistant", "tool_calls", "name", "arguments", "from", "value"]
)
values_ = st.recursive(
    leaves | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(sorted(SHAPES)), st.data())
def test_whatever_stands_in_a_row_it_is_a_conversation_or_an_error_of_its_place(
    shape: str, data: st.DataObject
) -> None:
    row = {key: data.draw(values_) for key in SHAPES[shape][0]}
    made: Conversation | DataError
    try:
        made = converted(row, shape)
    except DataError as error:
        made = error
    if isinstance(made, DataError):
        assert (made.where, made.code in {"D011", "D012"}) == ("chat.jsonl:17", True)
    else:
        assert made.messages
        assert all(isinstance(turn.content, str) for turn in made.messages)
