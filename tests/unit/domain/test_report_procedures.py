from __future__ import annotations

from typing import Any

import pytest

from cesello.domain.report_procedures import given, lift_interval, welch
from tests.recorded_runs import changed, completion, grounding, reinforced, run, source


def line(step: int, reward: float, procedure: str | None = None, mode: str = "full", **more: Any) -> Any:
    its = None if procedure is None else {"name": procedure, "mode": mode, "sha": "", "request": ""}
    return completion(step, 0, 0, "a", reward=reward, procedure=its, **more)


def test_prompts_that_were_given_nothing_have_no_part() -> None:
    assert given(reinforced()) is None


def test_a_procedure_is_compared_with_those_held_out_from_it() -> None:
    lines = [line(step, 0.8 + 0.01 * step, "debug") for step in range(1, 6)]
    lines += [line(step, 0.2 + 0.01 * step, "debug", "off") for step in range(6, 11)]
    made = given(run("grpo", completions=lines))
    assert made is not None
    assert [(arm.given, arm.mode, arm.prompts) for arm in made.arms] == [
        ("debug", "full", 5), ("debug", "off", 5),
    ]  # fmt: skip
    [lift] = made.lifts
    assert lift.gain == pytest.approx(0.55)
    assert lift.interval.low > 0.4


def test_answers_to_one_prompt_count_once() -> None:
    lines = [line(1, reward, "debug") for reward in (0.0, 1.0)]
    made = given(run("grpo", completions=lines))
    assert made is not None
    assert [(arm.prompts, arm.mean, arm.interval) for arm in made.arms] == [(1, 0.5, None)]
    assert made.lifts == ()


def test_the_memory_is_compared_with_those_held_out_from_it() -> None:
    passages = [{"path": "a.py", "lines": [1, 2], "score": 0.9}]
    lines = [line(step, 0.9, memory=passages, memory_left_out=None) for step in (1, 2)]
    lines += [line(step, 0.1, memory=None, memory_left_out="held out") for step in (3, 4)]
    lines += [line(5, 0.5, memory=None, memory_left_out="no room")]
    made = given(run("grpo", completions=lines))
    assert made is not None
    assert [(arm.given, arm.mode) for arm in made.arms] == [
        ("memory", "in the prompt"), ("memory", "off"), ("memory", "no room"),
    ]  # fmt: skip
    assert [(lift.given, round(lift.gain, 6)) for lift in made.lifts] == [("memory", 0.8)]
    assert made.sources == (("a.py:1-2", 2),)


def test_welchs_interval_is_that_of_the_books() -> None:
    """As scipy 1.17 has it: ttest_ind([1, 2, 3, 4], [2, 2, 3], equal_var=False).confidence_interval()."""
    interval = welch([1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 3.0])
    assert interval.low == pytest.approx(-1.7880502895014836)
    assert interval.high == pytest.approx(2.1213836228348164)


def test_a_few_values_that_are_all_alike_prove_little() -> None:
    few, many = (lift_interval([1.0] * n, [0.0] * n, 0.0, 1.0) for n in (2, 100))
    assert few.low < 0.2
    assert many.low > 0.9
    assert few.high == many.high == 1.0
    below = lift_interval([1.0] * 20, [0.0] * 20, -1.0, 1.0)  # such scores may be as far apart as 2
    assert below.low < lift_interval([1.0] * 20, [0.0] * 20, 0.0, 1.0).low
    assert below.high > 1.0


def test_an_arm_whose_prompts_are_all_alike_has_an_interval_with_a_width() -> None:
    made = given(run("grpo", completions=[line(step, 1.0, "debug") for step in range(1, 6)]))
    assert made is not None
    [arm] = made.arms
    assert arm.interval is not None
    assert (arm.interval.low < 0.7, arm.interval.high) == (True, 1.0)


def test_a_prompt_that_is_asked_again_counts_once() -> None:
    lines = [line(step, reward, "debug", question="the same") for step, reward in ((1, 0.0), (7, 1.0))]
    made = given(run("grpo", completions=lines))
    assert made is not None
    assert [(arm.prompts, arm.mean) for arm in made.arms] == [(1, 0.5)]


def test_a_question_under_two_versions_is_one_of_a_lift() -> None:
    def one(question: str, reward: float, version: str, mode: str = "full") -> Any:
        its = {"name": "debug", "mode": mode, "sha": version * 8, "request": ""}
        return completion(1, 0, 0, "a", question=question, reward=reward, procedure=its)

    lines = [one("a", 1.0, "1"), one("a", 0.8, "2"), one("b", 0.5, "1")]
    lines += [one("c", 0.1, "1", "off"), one("d", 0.0, "1", "off")]
    made = given(run("grpo", completions=lines))
    assert made is not None
    [lift] = made.lifts
    assert (lift.prompts, lift.held_out) == (2, 2)
    assert lift.gain == pytest.approx((0.9 + 0.5) / 2 - 0.05)
    both = given(run("grpo", completions=[*lines, one("b", 0.4, "2", "off"), one("e", 0.7, "2")]))
    assert both is not None
    [apart] = both.lifts  # "b" was asked both ways: Welch's interval is of sides that share nothing
    assert (apart.prompts, apart.held_out) == (2, 2)
    assert apart.gain == pytest.approx((0.9 + 0.7) / 2 - 0.05)


def test_outcomes_of_a_procedure_are_those_of_the_log_of_procedures() -> None:
    lines = [line(step, reward, "debug") for step, reward in ((1, 0.6), (2, 0.7), (3, 0.0), (4, -0.9))]
    made = given(run("grpo", completions=[*lines, line(5, 0.5)]))
    assert made is not None
    arm, none = made.arms
    assert arm.outcomes == (("success", 2), ("partial", 1), ("failure", 1))
    assert (none.given, none.mode, none.kind, none.outcomes) == ("", "none matched", "procedure", ())
    assert made.lifts == ()


def test_prompts_of_which_the_memory_knew_nothing_are_no_control() -> None:
    its = grounding(("a.py", 0.9, "passage"))
    lines = [line(step, 0.9, **its) for step in (1, 2)]
    lines += [line(step, 0.1, memory=None, memory_left_out=None) for step in (3, 4)]
    made = given(run("grpo", completions=lines))
    assert made is not None
    assert [(arm.mode, arm.prompts) for arm in made.arms] == [("in the prompt", 2), ("nothing found", 2)]
    assert made.lifts == ()
    assert made.use is not None
    assert made.use.answers == 2


def test_a_procedure_that_is_called_memory_is_no_memory() -> None:
    its = grounding(("a.py", 0.9, "passage"))
    lines = [line(step, 0.9, "memory", **its) for step in (1, 2)]
    lines += [line(step, 0.2, "memory", "off", memory=None, memory_left_out="held out") for step in (3, 4)]
    made = given(run("grpo", completions=lines))
    assert made is not None
    assert [(lift.kind, lift.given, lift.prompts, lift.held_out) for lift in made.lifts] == [
        ("memory", "memory", 2, 2), ("procedure", "memory", 2, 2),
    ]  # fmt: skip


def test_a_memory_that_knew_nothing_of_any_prompt_is_told() -> None:
    one = changed(run("grpo", completions=[line(1, 0.5)]), identity={"memory retrieve": "1 files; ab"})
    made = given(one)
    assert made is not None
    assert [(arm.mode, arm.prompts) for arm in made.arms] == [("nothing found", 1)]


def test_searches_of_the_model_itself_are_counted_where_it_can() -> None:
    lines = [line(1, 0.5, tools={"search": 2}), line(2, 0.5, tools={"add": 1}), line(3, 0.5)]
    made = given(run("grpo", completions=lines))
    assert made is not None
    assert (made.searching, made.answers, made.arms) == (1, 3, ())
    could = given(changed(run("grpo", completions=lines[1:]), identity={"memory search": "1 files; ab"}))
    assert could is not None
    assert could.searching == 0


def test_rows_of_a_fine_tuning_are_counted_by_source() -> None:
    sources = [source("chat", grounded={"given": 3}, instructed={"debug 01, full": 2}), source("other")]
    made = given(changed(run("sft"), data={"sources": sources}))
    assert made is not None
    assert [(one.source, one.kind, one.counts) for one in made.rows] == [
        ("chat", "memory", (("given", 3),)), ("chat", "procedure", (("debug 01, full", 2),)),
    ]  # fmt: skip


def test_rows_that_were_given_something_come_before_those_that_went_without() -> None:
    memory = {"nothing found": 4, "no room": 1, "held out": 2, "given, over 9": 1, "given": 3}
    procedures = {
        "none matched": 5,
        "tidy 02, off": 1,
        "debug 01, off": 2,
        "tidy 02, full": 1,
        "debug 01, full": 7,
    }
    sources = [source("chat", grounded=memory, instructed=procedures)]
    made = given(changed(run("sft"), data={"sources": sources}))
    assert made is not None
    assert [list(dict(one.counts)) for one in made.rows] == [
        ["given", "given, over 9", "held out", "no room", "nothing found"],
        ["debug 01, full", "debug 01, held out", "tidy 02, full", "tidy 02, held out", "none matched"],
    ]
    assert [dict(one.counts)["debug 01, held out"] for one in made.rows[1:]] == [2]
