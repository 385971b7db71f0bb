"""Alarms: raised where a reinforcement goes wrong, once, and the same again where it is gone on with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.alarms import WINDOW, Alarm, Course, course_from

GOOD = {"dead_groups": 0.1, "cut_off": 0.0, "kl": 0.01, "weight": 1.0, "entropy": 1.0, "reward": 0.5}


def after(course: Course, *steps: dict[str, float], start: int = 1) -> tuple[Course, list[Alarm]]:
    """With such steps, and all alarms that they raised."""
    raised: list[Alarm] = []
    for step, figures in enumerate(steps, start):
        course, told = course.after_step(step, GOOD | figures)
        raised += told
    return course, raised


def of(name: str, values: Sequence[float]) -> list[tuple[int, str]]:
    """When alarms are raised where one figure has such values."""
    return [(alarm.step, alarm.name) for alarm in after(Course(), *({name: one} for one in values))[1]]


@pytest.mark.parametrize(
    ("name", "bad", "says"),
    [
        (
            "dead_groups",
            0.75,
            "all answers score the same for 75% of the prompts (mean reward 0.50): the task is ",
        ),
        ("weight", 1.4, "the mean importance weight is 1.40, not 1: the engine tells other probabilities "),
        ("weight", 0.7, "the mean importance weight is 0.70, not 1: "),
        ("cut_off", 0.5, "50% of the completions were cut off before they ended: raise "),
        ("kl", 0.8, "the policy has moved 0.80 nats a token away from the reference: raise grpo.beta"),
    ],
)
def test_a_mean_over_the_last_steps_that_is_too_high_is_told_once(name: str, bad: float, says: str) -> None:
    course, raised = after(Course(), *[{name: bad}] * 20)
    [alarm] = raised
    assert (alarm.step, alarm.name, course.standing) == (WINDOW, name, (name,))
    assert alarm.text.startswith(says)


@pytest.mark.parametrize(
    ("unscored", "says"),
    [
        (0.7, "fewer than two answers have a reward for 70% of the "),
        (0.3, "all answers score the same for 75% "),
    ],
)
def test_groups_that_no_reward_applies_to_do_not_count_as_too_easy(unscored: float, says: str) -> None:
    _, [alarm] = after(Course(), *[{"dead_groups": 0.75, "unscored_groups": unscored}] * WINDOW)
    assert alarm.name == "dead_groups"
    assert alarm.text.startswith(says)


@pytest.mark.parametrize(("name", "limit"), [("dead_groups", 0.6), ("cut_off", 0.3), ("kl", 0.5)])
def test_at_the_limit_nothing_is_told(name: str, limit: float) -> None:
    assert of(name, [limit] * 10) == []
    assert of(name, [limit + 0.01] * 10) == [(WINDOW, name)]


def test_one_bad_step_is_none() -> None:
    assert of("cut_off", [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]) == []


def test_it_is_told_again_after_it_had_cleared_and_not_for_the_noise_at_the_limit() -> None:
    assert of("cut_off", [0.4] * 5 + [0.28, 0.32] * 10) == [(5, "cut_off")]
    assert of("cut_off", [0.4] * 5 + [0.0] * 5 + [0.4] * 5) == [(5, "cut_off"), (14, "cut_off")]


def test_entropy_that_falls_by_four_fifths_is_told() -> None:
    assert of("entropy", [2.0] * 5 + [0.5] * 20) == []
    assert of("entropy", [2.0] * 5 + [0.39] * 20) == [(10, "entropy")]
    assert of("entropy", [0.1] * 20) == []
    _, [alarm] = after(Course(), *[{"entropy": 2.0}] * 5, *[{"entropy": 0.1}] * 5)
    assert alarm.text.startswith("the entropy of a token fell from 2.00 to 0.10 nats")


def rewarded(*rewards: float) -> Course:
    return after(Course(), *({"reward": one} for one in rewards))[0]


RISEN = rewarded(0.1, 0.2, 0.1, 0.2, 0.1, 0.6, 0.7, 0.6, 0.7, 0.6)


@pytest.mark.parametrize("now", [0.3, 0.35, 0.2, -1.0])
def test_a_reward_that_rises_while_the_held_out_score_does_not_is_told(now: float) -> None:
    course, [alarm] = RISEN.after_evaluation(10, 0.3, now)
    assert (alarm.name, alarm.step) == ("held_out", 10)
    assert alarm.text.startswith("the reward rose from 0.14 to 0.64, the held-out score went from 0.30 to ")
    assert course.after_evaluation(20, 0.3, now)[1] == []
    cleared, none = course.after_evaluation(30, 0.3, 0.9)
    assert (cleared.standing, none) == ((), [])
    assert len(cleared.after_evaluation(40, 0.3, now)[1]) == 1


@pytest.mark.parametrize(
    "course",
    [
        Course(),
        rewarded(0.1, 0.2, 0.1, 0.2, 0.9, 0.9, 0.9, 0.9, 0.9),  # the first steps are among the last
        rewarded(*[0.5] * 10),
        rewarded(0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0),  # noise
        rewarded(*[0.9] * 5, *[0.1] * 5),
    ],
)
def test_a_reward_that_did_not_rise_for_sure_is_no_alarm(course: Course) -> None:
    assert course.after_evaluation(10, 0.3, 0.3)[1] == []


def test_a_held_out_score_that_follows_is_no_alarm() -> None:
    assert RISEN.after_evaluation(10, 0.3, 0.45)[1] == []


def test_a_step_of_which_nothing_is_told_changes_nothing() -> None:
    course, _ = after(Course(), *[{"cut_off": 0.9}] * 6)
    assert course.after_step(7, {}) == (course, [])
    assert course.after_step(7, {"kl": inf, "entropy": nan, "loss": 3.0}) == (course, [])


FIGURES = st.fixed_dictionaries({}, optional={name: st.floats(0, 2, allow_nan=False) for name in GOOD})


@given(st.lists(FIGURES, max_size=30), st.integers(0, 30))
def test_a_training_that_is_gone_on_with_raises_the_same(steps: list[dict[str, float]], cut: int) -> None:
    def told(course: Course, part: Sequence[dict[str, float]], start: int) -> tuple[Course, list[Alarm]]:
        raised: list[Alarm] = []
        for step, figures in enumerate(part, start):
            course, new = course.after_step(step, figures)
            raised += new
        return course, raised

    whole = told(Course(), steps, 1)
    half, before = told(Course(), steps[:cut], 1)
    again = course_from(json.loads(json.dumps(half.as_plain())))
    assert again == half
    course, later = told(again, steps[cut:], len(steps[:cut]) + 1)
    assert (course, before + later) == whole


def test_a_checkpoint_of_before_there_were_alarms_has_none() -> None:
    assert course_from({}) == Course()
