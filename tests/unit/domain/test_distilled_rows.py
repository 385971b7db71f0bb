"""Answers of runs that become rows, and the prompts that they were given to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cesello.domain.conversation import (
    Conversation,
    GivenContext,
    GivenPassage,
    GivenProcedure,
    Message,
    Role,
    ToolCall,
    ToolSpec,
    user,
)
from cesello.domain.distilled_rows import (
    Rewarded,
    Wanted,
    best_of_groups,
    first_of_prompts,
    of_trials,
    rewarded,
)
from cesello.domain.recorded_run import RecordedRun
from cesello.domain.reinforcement import (
    Judged,
    JudgedGroup,
    asked_record,
    memory_record,
    procedure_record,
    said_record,
)

ADD = ToolSpec("add", "Adds.", {"type": "object", "properties": {"a": {"type": "integer"}}})
CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'
PROMPT = Conversation((Message(Role.SYSTEM, "Be brief."), Message(Role.USER, "Add one.")), (ADD,))
PROCEDURE = GivenProcedure("sums", "5ha", "full", "Add one.", text="First think.")
CONTEXT = GivenContext((GivenPassage("a.py", (1, 2), 0.5, "5ha"),), 3, text="<context>a.py</context>")


def given() -> Conversation:
    """The prompt as a model met it: with a procedure, and with passages."""
    whole = PROMPT.behind_system(PROCEDURE.text).grounded(CONTEXT)
    return Conversation(whole.messages, whole.tools, {}, PROCEDURE, CONTEXT)


def group(*completions: Judged, prompt: Conversation | None = None) -> JudgedGroup:
    its = given() if prompt is None else prompt
    return JudgedGroup(
        [1], its.without_context().messages[-1].content, list(completions), procedure=procedure_record(its),
        memory=memory_record(its.context), asked=asked_record(its),
    )  # fmt: skip


def judged(text: str, reward: float | None = 1.0, **more: Any) -> Judged:
    return Judged([1, 2], [0.0, 0.0], more.pop("finished", True), text, reward, **more)


def run_of(*groups: JudgedGroup) -> RecordedRun:
    lines = [line for number, one in enumerate(groups) for line in one.records(3, number)]
    plain = json.loads(json.dumps(lines))
    return RecordedRun("runs/r", "completed", {"algorithm": "grpo"}, {"completions": plain})


def found(*groups: JudgedGroup, least: float = 1.0, procedure: str = "") -> list[Rewarded | str]:
    return list(rewarded("r", run_of(*groups), Wanted(least, procedure)))


def test_what_is_kept_of_a_prompt_has_neither_procedure_nor_memory() -> None:
    assert "First think." in given().messages[0].content
    assert "<context>" in given().messages[1].content
    kept = json.dumps(asked_record(given()))
    assert "First think." not in kept
    assert "<context>" not in kept
    assert asked_record(given()) == asked_record(PROMPT)


def test_it_is_kept_once_a_group() -> None:
    first, second = group(judged("a"), judged("b")).records(1, 0)
    assert first["asked"] == asked_record(PROMPT)
    assert (second["asked"], first["said"], second["said"]) == (None, None, None)


def test_a_row_has_the_bare_prompt_and_the_answer() -> None:
    [one] = found(group(judged("Two.", parts={"right": 1.0})))
    assert isinstance(one, Rewarded)
    row = json.loads(one.row().line())
    assert row["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Add one."},
        {"role": "assistant", "content": "Two."},
    ]
    assert [tool["name"] for tool in row["tools"]] == ["add"]
    assert row["from"] == {
        "run": "r", "step": 3, "prompt": 0, "reward": 1.0,
        "procedure": {"name": "sums", "sha": "5ha", "mode": "full"}, "memory": True,
    }  # fmt: skip


def test_calls_stand_beside_what_is_said() -> None:
    [one] = found(group(judged(f"Well.\n{CALL}")))
    assert isinstance(one, Rewarded)
    assert one.said == (Message(Role.ASSISTANT, "Well.", (ToolCall("add", '{"a": 1}'),)),)


def test_several_turns_are_kept_with_what_tools_said() -> None:
    turns = (
        Message(Role.ASSISTANT, "", (ToolCall("add", '{"a": 1}'),)),
        Message(Role.TOOL, "2", name="add"),
        Message(Role.ASSISTANT, "It is 2."),
    )
    [one] = found(group(judged("all of it", turns=2, said=said_record(turns))))
    assert isinstance(one, Rewarded)
    assert one.said == turns
    conversation = one.row().conversation
    assert [turn.is_trained for turn in conversation.messages] == [False, False, True, False, True]


def test_answers_in_a_prompt_are_not_trained_on() -> None:
    turns = (Message(Role.USER, "One?"), Message(Role.ASSISTANT, "1"), Message(Role.USER, "Two?"))
    [one] = found(group(judged("2"), prompt=Conversation(turns)))
    assert isinstance(one, Rewarded)
    assert [turn.is_trained for turn in one.row().conversation.messages] == [False, False, False, True]


LED = [
    {"role": "assistant", "content": "a"},
    {"role": "user", "content": "Step 2."},
    {"role": "assistant", "content": "b"},
]


@pytest.mark.parametrize(
    ("completion", "reason"),
    [
        (judged("a", 0.9), "the reward is lower"),
        (judged("a", None), "it was not judged"),
        (judged("a", 1.0, verdict="infra_error"), "it was not judged"),
        (judged("a", float("nan")), "it was not judged"),
        (judged("a", finished=False), "it was cut off"),
        (judged(" "), "its turns were not kept"),
        (judged("all of it", turns=2), "its turns were not kept"),
        (judged("all of it", turns=2, said=LED), "it was led step by step"),
    ],
)
def test_what_is_left_out(completion: Judged, reason: str) -> None:
    assert found(group(completion)) == [reason]


def test_runs_that_kept_no_prompts() -> None:
    run = run_of(group(judged("a")))
    for line in run.log("completions"):
        del line["asked"]  # type: ignore[attr-defined]
    assert list(rewarded("r", run, Wanted(0.0))) == ["its prompt was not kept"]


def test_only_those_under_a_procedure() -> None:
    off = GivenProcedure("sums", "5ha", "off", "Add one.")
    without = Conversation(PROMPT.messages, (ADD,), {}, off)
    groups = group(judged("with")), group(judged("off"), prompt=without), group(judged("bare"), prompt=PROMPT)
    one, *others = found(*groups, procedure="sums")
    assert isinstance(one, Rewarded)
    assert one.said[-1].content == "with"
    assert others == ["another procedure, or none"] * 2


def test_damaged_lines_are_no_rows() -> None:
    run = RecordedRun("r", "completed", {}, {"completions": [
        {"reward": 1.0, "finished": True, "asked": {"messages": 3}, "completion": "a"},
        {"reward": 1.0, "finished": True, "asked": {"messages": [{"role": "king"}]}, "completion": "a"},
        {"reward": "much"}, {},
    ]})  # fmt: skip
    assert all(isinstance(one, str) for one in rewarded("r", run, Wanted(0.0)))


def test_trials_of_a_search() -> None:
    trials = [
        {"candidate": "c", "task": "t", "reward": 1.0, "verdict": "", "completion": "YES", "tokens": 1},
        {"candidate": "c", "task": "t", "reward": -1.0, "verdict": "", "completion": "no", "tokens": 1},
        {"candidate": "c", "task": "held", "reward": 1.0, "verdict": "", "completion": "YES", "tokens": 1},
    ]
    one, low, held = of_trials("r", {"t": user("Shout.")}, trials, Wanted(1.0))
    assert isinstance(one, Rewarded)
    assert one.row().words() == "Shout.\nYES"
    assert (low, held) == ("the reward is lower", "its task is held out, or was not kept")
    assert "another procedure, or none" in of_trials("r", {"t": user("?")}, trials[:1], Wanted(0.0, "sums"))


def test_the_best_of_a_group_and_the_first_of_a_prompt() -> None:
    def one(reward: float, tokens: int, place: int) -> Rewarded:
        return Rewarded(user("?"), (Message(Role.ASSISTANT, "a"),), reward, tokens, (place,))

    all_of = [one(0.5, 9, 1), one(1.0, 9, 1), one(1.0, 5, 1), one(0.7, 1, 2), one(0.7, 1, 2)]
    assert best_of_groups(all_of) == {2, 4}
    assert first_of_prompts(all_of, 2) == {1, 2}
    assert first_of_prompts(all_of, 9) == {0, 1, 2, 3, 4}
