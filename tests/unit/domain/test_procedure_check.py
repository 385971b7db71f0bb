"""What must hold between the parts of a procedure that a program made."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cesello.domain.guided_run import MOST_TRIES, Do, Finished, Gave, begin
from cesello.domain.procedure import Expect, Fallback, Kind, OnFail, Procedure, Step
from cesello.domain.procedure_check import Finding, check, most_tries
from tests.procedures import procedures

PASSES = Expect(Kind.EXIT_CODE, 0)


def made(*steps: Step, success: str = "") -> Procedure:
    return Procedure("demo", "Does it.", "Do it.", steps=steps, success=success)


def mistakes(procedure: Procedure) -> list[Finding]:
    return [one for one in check(procedure) if not one.advice]


def step(name: str, goto: str | None = None, most: int = 0, when: str = "") -> Step:
    return Step(name, "Do.", when, (), PASSES, OnFail(goto=goto, most=most))


@given(procedures())
@settings(max_examples=50, deadline=None)
def test_what_is_well_formed_has_no_mistakes(procedure: Procedure) -> None:
    assert mistakes(procedure) == []


@pytest.mark.parametrize(
    ("steps", "what"),
    [
        ((step("a"), step("b", "a")), "nothing ends the cycle a -> b -> a"),
        ((step("a", "a"),), "nothing ends the cycle a -> a"),
        ((step("a", "a", -1),), "nothing ends the cycle a -> a"),
        ((step("a", "b"), step("b", "a", 1)), "the goto to b has no bound"),
        ((step("a"), step("b", when="steps.b.ok")), "which does not come before it"),
        ((step("a"), step("b", when="steps.a.ok and false")), "never reached"),
    ],
)
def test_what_has_no_end_or_is_never_reached_is_refused(steps: tuple[Step, ...], what: str) -> None:
    [found] = mistakes(made(*steps))
    assert what in found.what
    assert found.fix


def test_a_cycle_with_a_bound_is_no_mistake() -> None:
    assert mistakes(made(step("a"), step("b", "a", 2), success="b")) == []


@given(procedures(), st.lists(st.booleans(), max_size=80))
@settings(max_examples=100, deadline=None)
def test_every_run_ends_within_its_tries(procedure: Procedure, passes: list[bool]) -> None:
    """Whatever the steps give, in whatever order."""
    steps = tuple(
        replace(one, on_fail=replace(one.on_fail, then=Fallback.NEXT), expect=one.expect and PASSES)
        for one in procedure.steps
    )
    procedure = replace(procedure, steps=steps)
    run = begin(procedure, {one.name: "a" for one in procedure.inputs})
    answers, tries = iter(passes), 0
    while isinstance(run.next, Do):
        run = run.after(Gave(exit_code=0 if next(answers, False) else 1), lambda pattern, text: False)
        tries += 1
        assert tries <= MOST_TRIES
    assert isinstance(run.next, Finished)
    assert tries <= max(1, most_tries(procedure))


def test_the_most_tries_are_counted() -> None:
    retried = Step("a", "Do.", expect=PASSES, on_fail=OnFail(retry=2))
    assert most_tries(made(retried)) == 3
    assert most_tries(made(retried, step("b", "a", 2))) == 3 * (3 + 1)
    assert most_tries(made()) == 0


def test_a_tool_that_nobody_knows_is_told_of_unless_the_procedure_says_what_it_needs() -> None:
    using = [
        Step("a", "Do.", tools=(tool,), expect=PASSES)
        for tool in ("shell", "Read", "Bash(git:*)", "teleport")
    ]
    advice = [one for one in check(made(*using)) if one.advice and "uses" in one.what]
    assert [one.what.split()[4] for one in advice] == ["teleport,"]
    assert [one.keys for one in advice] == [("steps", 3, "tools", 0)]
    allowing = replace(made(*using), allowed_tools=("shell", "Read", "Bash(git:*)", "teleport"))
    assert not [one for one in check(allowing) if "uses" in one.what]
