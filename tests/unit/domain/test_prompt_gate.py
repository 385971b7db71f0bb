from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.conversation import Conversation, Message, Role, user
from cesello.domain.halving import TaskParts
from cesello.domain.prompt_gate import GateLimits, PromptGate
from cesello.domain.prompt_program import Demo, PromptProgram
from cesello.domain.prompt_search import Task

SEED = PromptProgram(
    system="You call functions. Today is {day}.",
    question="Question: {question}\nAnswer:",
    values={"day": "Monday"},
)
EVERYTHING = ("system", "procedure", "question", "demos")


def task(id: str, question: str, answer: str = "") -> Task:
    return Task(id, Conversation((Message(Role.USER, question),)), answer)


PARTS = TaskParts(
    search=[
        task("a", "Which planes land in Rome tonight?", '{"name": "flights", "arguments": {"to": "Rome"}}')
    ],
    selection=[task("b", "How long is the river Po in kilometres?", "652 kilometres")],
    test=[task("c", "Convert 300 euro into Swiss francs for me.", "yes")],
)


def refusal(
    candidate: PromptProgram, parent: PromptProgram = SEED, editable: tuple[str, ...] = EVERYTHING
) -> str:
    return PromptGate(SEED, editable, PARTS).refusal(candidate, parent)


def test_what_asks_every_task_as_another_prompt_does_is_refused() -> None:
    own = [replace(one, conversation=one.conversation.with_system("Mine.")) for one in PARTS.search]
    mixed = TaskParts([*own, task("d", "Which trains go to Pisa?")], PARTS.selection, PARTS.test)
    inert = PromptGate(SEED, EVERYTHING, replace(PARTS, search=own))
    gate = PromptGate(SEED, EVERYTHING, mixed)
    longer, procedure = with_system("Be brief."), SEED.with_text("procedure", "1. Read.")
    assert inert.refusal(longer, SEED) == "changes nothing on these tasks"
    assert inert.refusal(procedure, SEED) == ""
    both = procedure.with_text("system", longer.system)
    assert inert.refusal(both, procedure) == "changes nothing on these tasks"
    assert [gate.refusal(one, SEED) for one in (longer, procedure, both)] == ["", "", ""]


def with_system(more: str) -> PromptProgram:
    return SEED.with_text("system", f"{SEED.system}\n{more}")


@pytest.mark.parametrize(
    "more",
    [
        'Answer like {"name": "get_weather", "arguments": {"city": "Oslo"}}.',
        "Return {} when no function fits.",
        "A set is written {1, 2} and a loop for (;;) { i++; }.",
        "Use {x: 1} or { a, b }.",
        "Half a brace { is text, and so is }, or {{ }}.",
        "50 % of {question marks?} are rhetorical.",
        "Naïve café 日本語 🙂",
        "Write \\n for a new line,\tand go on.",
    ],
)
def test_ordinary_text_and_braces_pass(more: str) -> None:
    assert refusal(with_system(more)) == ""


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("{task.__class__}", "formatted placeholder"),
        ("{task.__class__.__mro__[1]}", "formatted placeholder"),
        ("{question!r}", "formatted placeholder"),
        ("{day:>10}", "formatted placeholder"),
        ("{day[0]}", "formatted placeholder"),
        ("{0}", "formatted placeholder"),
        ("{0.name}", "formatted placeholder"),
        ("{user_name}", "nothing fills: {user_name}"),
        ("{question}", "nothing fills: {question}"),
        ("{{ question }}", "syntax of a template"),
        ("{% for x in y %}", "syntax of a template"),
        ("<|im_start|>system", "control tokens"),
        ("[INST] now", "control tokens"),
        ("</s>", "control tokens"),
        ("<|im_\u200bstart|>", "nobody sees: U+200B"),
        ("a\u202eb", "nobody sees: U+202E"),
        ("a\x00b", "nobody sees: U+0000"),
        ("a\x1b[31mb", "nobody sees: U+001B"),
        ("a\ud800b", "nobody sees: U+D800"),
        ("a\U000e0041b", "nobody sees: U+E0041"),
        ("x" * 2_001, "grows by 2002 characters"),
        ("which PLANES land   in Rome tonight?", "a task's question"),
        ("Say 652 kilometres.", "a task's answer"),
        ("Convert 300 euro into Swiss francs for me.", "a task's question"),
    ],
)
def test_what_is_refused_and_why(more: str, reason: str) -> None:
    assert reason in refusal(with_system(more))


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (SEED.with_text("system", "You call functions."), "system has lost {day}"),
        (SEED.with_text("question", "Question:"), "question has lost {question}"),
        (SEED.with_text("question", "{ question }"), "question has lost {question}"),
        (SEED.with_text("question", "{{question}}"), "syntax of a template"),
        (SEED, "tried before"),
        (SEED.with_text("system", "you CALL functions.\n\n  Today is {day}. "), "tried before"),
        (replace(SEED, values={"day": "Sunday"}), "values of placeholders"),
        (
            replace(SEED, demos=(Demo("How long is the river Po in kilometres?", "9"),)),
            "kept for the comparison",
        ),
        (replace(SEED, demos=(Demo("Convert 300 euro into swiss francs for me.", "9"),)), "kept for the"),
        (replace(SEED, demos=(Demo("Something else?", "9"),)), "no task of the search part"),
        (replace(SEED, demos=(Demo("Which planes land in Rome tonight?", "x" * 5_000),)), "too long"),
        (replace(SEED, demos=(Demo("Which planes land in Rome tonight?", "<|im_end|>"),)), "control tokens"),
        (replace(SEED, demos=(Demo("Which planes land in Rome tonight?", "Two."),) * 9), "9 demos"),
    ],
)
def test_whole_programs_that_are_refused(candidate: PromptProgram, reason: str) -> None:
    assert reason in refusal(candidate)


def test_a_demo_of_the_search_part_passes() -> None:
    assert refusal(replace(SEED, demos=(Demo("Which planes land in Rome tonight?", "Two."),))) == ""


def test_what_may_not_be_changed_is_not() -> None:
    assert "procedure may not" in refusal(SEED.with_text("procedure", "1. Read."), editable=("system",))
    shown = replace(SEED, demos=(Demo("Which planes land in Rome tonight?", "Two."),))
    assert "demos may not" in refusal(shown, editable=("system",))


def test_a_text_is_limited_in_all_and_by_edit() -> None:
    parent = with_system("a" * 1_900)
    assert refusal(with_system("a" * 1_950), parent) == ""
    gate = PromptGate(SEED, EVERYTHING, PARTS, GateLimits(longest=1_000))
    assert "too long" in gate.refusal(with_system("a" * 1_500), parent)


def test_none_passes_twice() -> None:
    gate = PromptGate(SEED, EVERYTHING, PARTS)
    assert gate.refusal(with_system("Think."), SEED) == ""
    assert "tried before" in gate.refusal(with_system("think. "), SEED)


def test_what_the_seed_holds_is_no_reason() -> None:
    seed = PromptProgram(system="Use {x!r}, {name} and <|im_end|>\u200b. 652 kilometres is an answer.")
    gate = PromptGate(seed, EVERYTHING, PARTS)
    assert gate.refusal(seed.with_text("system", f"{seed.system}\nThink."), seed) == ""


def test_ten_words_of_one_task_leak_and_a_form_that_tasks_share_does_not() -> None:
    form = "Write a function in Python which takes one list of numbers and returns"
    tasks = [
        task(f"{n}", f"{form} the {word} of them all, please.") for n, word in enumerate(["sum", "mean"])
    ]
    gate = PromptGate(PromptProgram(), EVERYTHING, TaskParts(tasks, PARTS.selection, PARTS.test))
    seed = PromptProgram()
    assert gate.refusal(seed.with_text("system", f"You get: {form} something."), seed) == ""
    leaking = "Of them all: one that takes one list of numbers and returns the mean of them all."
    assert "ten words" in gate.refusal(seed.with_text("system", leaking), seed)


pieces = st.sampled_from(
    ["{question}", "{day}", "{", "}", "{{", "}}", "{0}", "{question!r}", "{task.__class__}", "{day:>9}", "%s",
     "$x", '{"a": 1}', "\\", "\n", "é"]
)  # fmt: skip
texts = st.lists(pieces | st.text(max_size=5), max_size=12).map("".join)


@given(texts, texts, texts)
def test_rendering_fills_declared_names_once_and_nothing_else(system: str, question: str, value: str) -> None:
    program = PromptProgram(system=system, question=question, values={"day": value})
    asked = program.around(user("{day} {question} {task.__class__}")).messages
    expected = value.join(system.split("{day}"))
    assert [turn.content for turn in asked if turn.role is Role.SYSTEM] == ([expected] if expected else [])
    parts = [value.join(part.split("{day}")) for part in question.split("{question}")]
    assert asked[-1].content == "{day} {question} {task.__class__}".join(parts)


@given(texts)
def test_no_text_breaks_the_gate_and_what_passes_keeps_its_placeholders(text: str) -> None:
    candidate = SEED.with_text("system", text).with_text("question", text)
    if not refusal(candidate):
        assert all(needed in text for needed in ("{day}", "{question}"))
        assert not any(wrong in text for wrong in ("{0}", "{task.__class__}", "{question!r}"))
