from __future__ import annotations

from typing import Any

import pytest

from cesello.domain.report_procedures import given, lift_interval, welch
from tests.recorded_runs import completion, reinforced, run


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
        ("memory", "in the prompt"), ("memory", "no room"), ("memory", "off"),
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
