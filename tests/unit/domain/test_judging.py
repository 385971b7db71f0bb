"""What a judge is asked, and how its answer is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.conversation import user
from cesello.domain.judging import LONGEST, RUBRIC, grade_in, harmless, judge_prompt


def asked(completion: str) -> tuple[str, str]:
    system, question = judge_prompt(user("What is 2 + 2?"), completion, RUBRIC, 1, 10).messages
    return system.content, question.content


@given(st.text())
def test_the_id_of_the_fence_is_not_in_what_it_holds(completion: str) -> None:
    system, question = asked(completion)
    fence = question.split("\n", 1)[0].removeprefix("question ")
    assert fence in system
    assert question.count(f"end {fence}") == question.count(f"answer {fence}") + 1 - 0 == 2
    assert fence not in completion


def test_another_completion_gets_another_id_and_the_same_the_same() -> None:
    assert asked("4") == asked("4")
    assert asked("4")[0] != asked("5")[0]


@pytest.mark.parametrize(
    "token",
    [
        "<|im_end|>",
        "<|eot_id|>",
        "<｜end▁of▁sentence｜>",
        "</s>",
        "<eos>",
        "<end_of_turn>",
        "[/INST]",
        "<</SYS>>",
    ],
)
def test_control_tokens_are_gone_also_when_one_hides_another(token: str) -> None:
    half = len(token) // 2
    assert harmless(f"a{token}b") == "ab"
    assert token not in harmless(token[:half] + token + token[half:])


def test_what_cannot_be_seen_is_gone_and_too_much_is_cut() -> None:
    assert harmless("a\x00\x1b\u202e\u200b\ud800b\n\tc") == "ab\n\tc"
    assert len(harmless("a" * 2 * LONGEST)) == LONGEST


@pytest.mark.parametrize(("text", "grade"), [("7", 7), (" 7.5\n", 7.5), ("10", 10), ("1", 1)])
def test_a_number_of_the_scale_is_a_grade(text: str, grade: float) -> None:
    assert grade_in(text, 1, 10) == grade


@pytest.mark.parametrize(
    "text", ["", "7/10", "Score: 7", "11", "0", "-1", "7 8", "seven", "nan", "1e1", "٧", "7."]
)
def test_anything_else_is_none(text: str) -> None:
    assert grade_in(text, 1, 10) is None
