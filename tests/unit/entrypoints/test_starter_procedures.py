"""The procedures that come with cesello are what it asks of anybody's."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import regex

from cesello import entrypoints
from cesello.domain.guided_run import Ask, Do, Finished, Gave, GuidedRun, Reply, begin
from cesello.domain.procedure import Expect, Kind, Outcome, Procedure, Step
from cesello.domain.procedure_check import MOST_LINES, Checked
from cesello.entrypoints.cli.ask import ask
from cesello.entrypoints.cli.remember import remember
from cesello.entrypoints.settings.procedure_file import ProcedureFiles

FOLDER = Path(str(entrypoints.__file__)).parent / "procedures"
NAMES = (
    "add-feature-with-tests",
    "answer-from-code-memory",
    "debug-failure",
    "profile-and-speed-up",
    "refactor-safely",
    "review-change",
    "upgrade-dependency",
    "write-documentation",
)
TOOLS = {"edit", "read", "shell"}

SAID = {
    "explain": "at src/cart.py:42 the discount is taken twice, because apply() is called again",
    "observe": "total is 19.98 before the second call\nCONFIRMED",
    "reproduce": "AssertionError: assert 19.98 == 20.0",
    "test": "1 failed in 0.1 s",
    "locate": "src/export.py:12 writes CSV in the same way",
    "implement": "SLICES DONE",
    "repeat": "PLAN DONE",
    "reader": "A new colleague who wants to deploy; a how-to.",
    "gather": "src/settings.py:7 port, default 8080",
    "goal": "median below 200 ms on 10,000 rows",
    "profile": "parse 61 %, read 20 %, write 4 %",
    "compare": "KEEP",
    "stop": "GOAL REACHED",
    "comment": "src/auth.py:31: blocking: the token is logged",
    "verdict": "VERDICT: changes",
    "reason": "urllib3 1.26.4 -> 1.26.19, CVE-2024-37891",
    "ask": "[1] (0.84) domain/ports/run.py:31-34",
    "judge": "ENOUGH",
    "answer": "It is sent again by src/webhooks.py:88.",
}
"""What a step that went well gives, by its id."""

SAYING = {
    ("add-feature-with-tests", "implement"),
    ("answer-from-code-memory", "judge"),
    ("debug-failure", "observe"),
    ("profile-and-speed-up", "compare"),
    ("profile-and-speed-up", "stop"),
    ("refactor-safely", "repeat"),
    ("review-change", "comment"),
    ("review-change", "verdict"),
}
WORDS = {
    "comment": "NO FINDINGS",
    "compare": "KEEP",
    "implement": "SLICES DONE",
    "judge": "ENOUGH",
    "observe": "CONFIRMED",
    "repeat": "PLAN DONE",
    "stop": "GOAL REACHED",
    "verdict": "VERDICT: approve",
}


@cache
def checked(name: str) -> Checked:
    files = {path.name: path.read_bytes() for path in (FOLDER / name).iterdir()}
    return ProcedureFiles().check(files, name, name)


@cache
def starter(name: str) -> Procedure:
    procedure = checked(name).procedure
    assert procedure is not None
    return procedure


def plain(text: str) -> str:
    return " ".join(text.casefold().split())


def finds(pattern: str, text: str) -> bool:
    return regex.search(pattern, text) is not None


def said_in(name: str) -> list[tuple[Step, str]]:
    """The steps that are to say a word in capitals, with that word."""
    return [(step, WORDS[step.id]) for step in starter(name).steps if (name, step.id) in SAYING]


def pattern_of(name: str, step: str) -> str:
    (expect,) = (one.expect for one in starter(name).steps if one.id == step)
    assert expect is not None
    return str(expect.value)


def step_by_step(name: str, said: dict[str, str], exit_code: int, reply: Reply) -> GuidedRun:
    """A run to its end, in which steps give what is in the table and commands end with the code."""
    run = begin(starter(name), {})
    while not isinstance(run.next, Finished):
        if isinstance(run.next, Ask):
            run = run.replied(reply)
        else:
            assert isinstance(run.next, Do)
            run = run.after(Gave(said.get(run.next.step.id, "done"), exit_code), finds)
    return run


def test_there_are_eight_of_them() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_has_neither_a_mistake_nor_anything_to_be_advised_of(name: str) -> None:
    found = checked(name)
    assert [str(one) for one in (*found.mistakes, *found.advice)] == []
    assert starter(name).name == name


@pytest.mark.parametrize("name", NAMES)
def test_its_steps_are_the_headings_of_its_body_in_their_order(name: str) -> None:
    procedure = starter(name)
    headings = re.findall(r"^## (\d+)\. (\w+)$", procedure.body, re.MULTILINE)
    assert [int(number) for number, _ in headings] == list(range(1, len(headings) + 1))
    assert [title.lower() for _, title in headings] == [step.id for step in procedure.steps]
    assert 40 <= procedure.body.count("\n") <= MOST_LINES


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is_for_in_many_ways_and_what_it_is_not_for(name: str) -> None:
    procedure = starter(name)
    assert len(procedure.triggers.examples) >= 12
    assert len(procedure.triggers.negatives) >= 5
    assert procedure.triggers.min_score is None
    assert len(procedure.description) >= 200


@pytest.mark.parametrize("name", NAMES)
def test_its_evals_go_both_ways_and_are_none_of_what_it_was_told(name: str) -> None:
    procedure = starter(name)
    told = {plain(text) for text in (*procedure.triggers.examples, *procedure.triggers.negatives)}
    asked = [plain(one.query) for one in procedure.evals]
    assert len(asked) == len(set(asked)) >= 12
    assert not told & set(asked)
    yes = sum(one.should_trigger for one in procedure.evals)
    assert yes == len(procedure.evals) - yes


def test_no_request_is_claimed_by_two_or_both_claimed_and_disclaimed() -> None:
    owners: dict[str, str] = {}
    for name in NAMES:
        procedure = starter(name)
        wanted = [*procedure.triggers.examples, *(one.query for one in procedure.evals if one.should_trigger)]
        for text in map(plain, wanted):
            assert owners.setdefault(text, name) == name, text
    for name in NAMES:
        procedure = starter(name)
        unwanted = [
            *procedure.triggers.negatives,
            *(one.query for one in procedure.evals if not one.should_trigger),
        ]
        # What belongs to another procedure is told by that one's examples: a negative is for nobody.
        assert not {text for text in map(plain, unwanted) if text in owners}


@pytest.mark.parametrize("name", NAMES)
def test_its_steps_use_tools_that_every_agent_has_in_some_form(name: str) -> None:
    assert {tool for step in starter(name).steps for tool in step.tools} <= TOOLS


@pytest.mark.parametrize("name", NAMES)
def test_what_a_step_is_to_say_is_in_its_text(name: str) -> None:
    for step, word in said_in(name):
        assert word in step.do, step.id
        assert word in starter(name).body, step.id
        assert "line of its own" in step.do, step.id


@pytest.mark.parametrize("name", NAMES)
def test_what_a_step_is_to_say_counts_on_a_line_of_its_own_alone(name: str) -> None:
    for step, word in said_in(name):
        assert step.expect is not None
        pattern = str(step.expect.value)
        for text in (word, f"I looked.\n{word}\n", f"**{word}**\r\nthat is all", f"  {word}."):
            assert finds(pattern, text), (step.id, text)
        for text in (
            f"NOT {word}",
            f"not {word}, REFUTED",
            f"{word}? No.",
            f"it isn't\n{word} yet",
            f"UN{word}",
        ):
            assert not finds(pattern, text), (step.id, text)


@pytest.mark.parametrize("name", NAMES)
def test_done_well_it_is_a_success_with_every_step_once(name: str) -> None:
    run = step_by_step(name, SAID, 0, Reply.STOP)
    assert isinstance(run.next, Finished)
    assert run.next.outcome is Outcome.SUCCESS, run.next.reason
    done = [tried.step for tried in run.tries]
    skipped = ["admit"] if name == "answer-from-code-memory" else []
    assert done == [step.id for step in starter(name).steps if step.id not in skipped]


@pytest.mark.parametrize("reply", [Reply.STOP, Reply.NEXT])
@pytest.mark.parametrize("name", NAMES)
def test_where_nothing_goes_well_it_ends_and_is_none(name: str, reply: Reply) -> None:
    run = step_by_step(name, {}, 1, reply)
    assert isinstance(run.next, Finished)
    assert run.next.outcome in (Outcome.FAILURE, Outcome.PARTIAL)


LAZY = (
    "",
    "ok",
    "done",
    "not CONFIRMED, NOT GOAL REACHED, PLAN DONE is false",
    "12 passed, 0 failed, no errors",
)


@pytest.mark.parametrize("exit_code", [0, 1])
@pytest.mark.parametrize("text", LAZY)
@pytest.mark.parametrize("name", NAMES)
def test_who_does_nothing_and_always_goes_on_has_no_success(name: str, text: str, exit_code: int) -> None:
    said = dict.fromkeys((step.id for step in starter(name).steps), text)
    run = step_by_step(name, said, exit_code, Reply.NEXT)
    assert isinstance(run.next, Finished)
    assert run.next.outcome in (Outcome.FAILURE, Outcome.PARTIAL), run.next.reason


@pytest.mark.parametrize(
    "text",
    [
        "12 passed, 0 failed",
        "test result: ok. 3 passed; 0 failed",
        "Failures: 0",
        "no errors",
        "Errors=0",
        "FAIL: 0",
    ],
)
@pytest.mark.parametrize("name", ["debug-failure", "add-feature-with-tests"])
def test_a_test_that_passes_is_none_that_fails(name: str, text: str) -> None:
    assert not finds(pattern_of(name, "test"), text)


@pytest.mark.parametrize(
    "text",
    [
        "10 failed, 2 passed",
        "FAILED (failures=1)",
        "--- FAIL: TestTotal (0.00s)",
        "Tests run: 3, Failures: 1, Errors: 0",
        "1 failing",
        "E   ModuleNotFoundError: No module named 'cart'",
        "java.lang.AssertionError: expected 3",
        "thread 'main' panicked at src/lib.rs:4",
        "test result: FAILED. 0 passed; 1 failed",
    ],
)
@pytest.mark.parametrize("name", ["debug-failure", "add-feature-with-tests"])
def test_a_test_that_fails_is_seen_whatever_ran_it(name: str, text: str) -> None:
    assert finds(pattern_of(name, "test"), text)


def test_a_failure_that_is_shown_is_none_that_is_denied() -> None:
    pattern = pattern_of("debug-failure", "reproduce")
    for text in ("12 passed, 0 failed", "no errors", "finished without errors", "the default value"):
        assert not finds(pattern, text), text
    for text in (
        "10 failed",
        "KeyError: 'a'",
        "Segmentation fault",
        "it timed out",
        "Traceback (most recent",
    ):
        assert finds(pattern, text), text


def test_a_step_of_a_refactoring_that_is_red_is_not_passed_over() -> None:
    run = step_by_step("refactor-safely", {**SAID, "cover": ""}, 1, Reply.NEXT)
    done = [tried.step for tried in run.tries]
    assert done.count("step") == 2
    assert not {"repeat", "compare"} & set(done)


def test_a_refuted_explanation_leads_to_another_one() -> None:
    run = step_by_step("debug-failure", {**SAID, "observe": "REFUTED: it is taken once"}, 0, Reply.STOP)
    assert [tried.step for tried in run.tries].count("explain") == 4
    assert isinstance(run.next, Finished)
    assert run.next.outcome is Outcome.FAILURE


def test_what_the_memory_does_not_know_is_admitted() -> None:
    run = step_by_step("answer-from-code-memory", {**SAID, "judge": "NOT ENOUGH, ASK AGAIN"}, 0, Reply.STOP)
    done = [tried.step for tried in run.tries]
    assert done.count("ask") == 4
    assert done[-1] == "admit"
    assert "answer" not in done


def test_the_refactoring_goes_on_until_the_plan_is_done() -> None:
    run = step_by_step("refactor-safely", {**SAID, "repeat": "STEPS LEFT: 2"}, 0, Reply.NEXT)
    assert [tried.step for tried in run.tries].count("step") == 6


def test_the_options_that_it_names_are_those_of_the_command() -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", starter("answer-from-code-memory").body))
    known = {option for command in (ask, remember) for one in command.params for option in one.opts}
    assert {"--path", "--kind", "--around"} <= named
    assert named <= known


def test_every_pattern_of_a_step_finds_something_and_not_everything() -> None:
    for name in NAMES:
        for step in starter(name).steps:
            if isinstance(step.expect, Expect) and step.expect.kind is Kind.REGEX:
                assert finds(str(step.expect.value), SAID[step.id]), step.id
                assert not finds(str(step.expect.value), "done"), step.id
