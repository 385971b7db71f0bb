"""The procedures that come with cesello are what it asks of anybody's."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import regex

from cesello import entrypoints
from cesello.domain.guided_run import Ask, Do, Finished, Gave, GuidedRun, Reply, begin
from cesello.domain.procedure import Expect, Kind, Outcome, Procedure
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
    "observe": "CONFIRMED: total is 19.98 before the second call",
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
    for step in starter(name).steps:
        if step.expect is not None and step.expect.kind is Kind.CONTAINS:
            assert str(step.expect.value) in step.do
            assert str(step.expect.value) in starter(name).body


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
    assert [tried.step for tried in run.tries].count("step") == 7


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
