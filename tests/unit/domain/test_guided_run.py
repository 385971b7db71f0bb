from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cesello.domain.errors import UsageError
from cesello.domain.guided_run import (
    MOST_TRIES,
    Ask,
    Do,
    Finished,
    Gave,
    GuidedRun,
    Reply,
    begin,
    check,
    steps_of,
)
from cesello.domain.procedure import Expect, Fallback, Input, Kind, OnFail, Outcome, Procedure, Step

GOOD, BAD = Gave("all good", 0, 1.0), Gave("oh no", 1, -1.0)
ZERO = Expect(Kind.EXIT_CODE, 0)


def finds(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None


def procedure(*steps: Step, success: str = "", inputs: Sequence[Input] = ()) -> Procedure:
    return Procedure("p", "d", "body", steps=steps, success=success, inputs=tuple(inputs))


def followed(start: GuidedRun, gave: Sequence[Gave], reply: Reply = Reply.STOP) -> GuidedRun:
    """The state when so many steps have given that, or when it is over."""
    state = start
    for one in gave:
        while isinstance(state.next, Ask):
            state = state.replied(reply)
        if isinstance(state.next, Finished):
            break
        state = state.after(one, finds)
    return state


def outcome(state: GuidedRun) -> Outcome | None:
    return state.next.outcome if isinstance(state.next, Finished) else None


def doing(state: GuidedRun) -> str:
    assert isinstance(state.next, Do)
    return state.next.step.id


def test_steps_come_in_order_and_end_well() -> None:
    start = begin(procedure(Step("a", "do a"), Step("b", "do b", expect=ZERO)), {})
    assert doing(start) == "a"
    assert doing(followed(start, [GOOD])) == "b"
    assert outcome(followed(start, [GOOD, GOOD])) is Outcome.SUCCESS


def test_without_any_check_nobody_knows() -> None:
    assert outcome(followed(begin(procedure(Step("a", "x")), {}), [BAD])) is Outcome.UNKNOWN


def test_a_failed_step_is_tried_again_and_then_ends_it() -> None:
    start = begin(procedure(Step("a", "x", expect=ZERO, on_fail=OnFail(retry=2))), {})
    state = followed(start, [BAD, BAD])
    assert isinstance(state.next, Do)
    assert state.next.attempt == 3
    assert outcome(state.after(BAD, finds)) is Outcome.FAILURE
    assert outcome(state.after(GOOD, finds)) is Outcome.SUCCESS


def test_goto_is_taken_so_often_and_no_more() -> None:
    back = OnFail(goto="a", most=2)
    start = begin(procedure(Step("a", "x"), Step("b", "y", expect=ZERO, on_fail=back)), {})
    state = followed(start, [GOOD, BAD] * 10)
    assert outcome(state) is Outcome.FAILURE
    assert [tried.step for tried in state.tries] == ["a", "b"] * 3


def test_next_goes_on_and_the_deciding_step_says_what_came_of_it() -> None:
    goes_on = OnFail(then=Fallback.NEXT)
    steps = (Step("a", "x", expect=ZERO, on_fail=goes_on), Step("b", "y", expect=ZERO))
    assert outcome(followed(begin(procedure(*steps), {}), [BAD, GOOD])) is Outcome.SUCCESS
    first = begin(procedure(*steps, success="a"), {})
    assert outcome(followed(first, [BAD, GOOD])) is Outcome.FAILURE
    unchecked = begin(procedure(steps[0], Step("b", "y")), {})
    assert outcome(followed(unchecked, [BAD, GOOD])) is Outcome.PARTIAL


@pytest.mark.parametrize(("reply", "step"), [(Reply.RETRY, "a"), (Reply.NEXT, "b")])
def test_a_person_says_what_comes_after_a_failure(reply: Reply, step: str) -> None:
    asks = OnFail(then=Fallback.ASK_USER)
    start = begin(procedure(Step("a", "x", expect=ZERO, on_fail=asks), Step("b", "y")), {})
    state = start.after(BAD, finds)
    assert isinstance(state.next, Ask)
    assert doing(state.replied(reply)) == step
    assert outcome(state.replied(Reply.STOP)) is Outcome.FAILURE


def test_conditions_look_at_steps_and_inputs() -> None:
    steps = (
        Step("a", "x", expect=ZERO, on_fail=OnFail(then=Fallback.NEXT)),
        Step("b", "y", when="steps.a.ok and inputs.language == 'go'"),
        Step("c", "z", when="not steps.a.ok"),
    )
    made = procedure(*steps, inputs=[Input("language", default="go")])
    assert doing(begin(made, {}).after(GOOD, finds)) == "b"
    assert doing(begin(made, {}).after(BAD, finds)) == "c"
    other = begin(made, {"language": "c"}).after(GOOD, finds)
    assert outcome(other) is Outcome.PARTIAL


def test_inputs_stand_in_the_text() -> None:
    made = procedure(Step("a", "run {command}, {nothing}"), inputs=[Input("command", required=True)])
    state = begin(made, {"command": "make {command}"})
    assert isinstance(state.next, Do)
    assert state.next.text == "run make {command}, {nothing}"


@pytest.mark.parametrize("inputs", [{}, {"command": ""}, {"command": "x", "other": "y"}])
def test_wrong_inputs_are_refused(inputs: dict[str, str]) -> None:
    made = procedure(Step("a", "x"), inputs=[Input("command", required=True)])
    with pytest.raises(UsageError) as problem:
        begin(made, inputs)
    assert problem.value.code == "C115"


def test_prose_alone_is_one_step() -> None:
    assert [step.do for step in steps_of(Procedure("p", "d", "Look, then leap.\n"))] == ["Look, then leap."]


@pytest.mark.parametrize(
    ("expect", "gave", "passes"),
    [
        (Expect(Kind.REGEX, "go+d"), GOOD, True),
        (Expect(Kind.REGEX, "^bad"), GOOD, False),
        (Expect(Kind.CONTAINS, "no"), BAD, True),
        (Expect(Kind.EXIT_CODE, 1), BAD, True),
        (Expect(Kind.EXIT_CODE, 0), Gave("nothing was run"), False),
        (Expect(Kind.REWARD, 0.5), GOOD, True),
        (Expect(Kind.REWARD, 0.5), Gave("nothing judged it"), False),
    ],
)
def test_checks(expect: Expect, gave: Gave, passes: bool) -> None:
    assert check(expect, gave, finds) is passes


def test_what_is_over_takes_nothing_more() -> None:
    state = begin(procedure(Step("a", "x")), {}).abandoned()
    assert outcome(state) is Outcome.ABANDONED
    with pytest.raises(ValueError, match="no step"):
        state.after(GOOD, finds)
    with pytest.raises(ValueError, match="nobody"):
        state.replied(Reply.NEXT)


IDS = ["a", "b", "c", "d"]


@st.composite
def procedures(draw: st.DrawFn) -> Procedure:
    steps = []
    for name in IDS[: draw(st.integers(1, 4))]:
        jump = draw(st.sampled_from([None, *IDS]))
        steps.append(
            Step(
                name,
                "x",
                when=draw(st.sampled_from(["", "steps.a.ok", "not steps.b.ok", "steps.c.exit_code == 1"])),
                expect=draw(st.sampled_from([None, ZERO])),
                on_fail=OnFail(
                    retry=draw(st.integers(0, 1000)),
                    then=draw(st.sampled_from(list(Fallback))),
                    goto=jump,
                    most=draw(st.integers(0, 1000)),
                ),
            )
        )
    there = [step.id for step in steps]
    kept = [step if step.on_fail.goto in (None, *there) else Step(step.id, "x") for step in steps]
    return procedure(*kept)


@settings(max_examples=300, deadline=None)
@given(procedures(), st.data())
def test_whatever_happens_it_ends(made: Procedure, data: st.DataObject) -> None:
    state = begin(made, {})
    for _ in range(2 * MOST_TRIES + 2):
        if isinstance(state.next, Finished):
            break
        if isinstance(state.next, Ask):
            state = state.replied(data.draw(st.sampled_from([Reply.RETRY, Reply.RETRY, Reply.NEXT])))
        else:
            state = state.after(data.draw(st.sampled_from([BAD, BAD, BAD, GOOD])), finds)
    assert isinstance(state.next, Finished)
    assert len(state.tries) <= MOST_TRIES
