from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cesello.adapters.reward.reasoning_gym_reward import ReasoningGymReward
from cesello.domain.conversation import Conversation, Message, Role
from cesello.domain.reward import Attempt, RewardResult, Verdict
from tests.fakes.sandbox import FakeIsolatedFunctions

FUNCTION = "cesello.adapters.reward.reasoning_gym_check:score"
ROW = {"task": "chain_sum", "entry": {"answer": "42"}}


def score(
    completion: str, given: Any = 1.0, reference: Any = ROW, partial: bool = False, failing: str = ""
) -> RewardResult:
    answer: Callable[..., Any] = given if callable(given) else lambda *_: given
    reward = ReasoningGymReward(FakeIsolatedFunctions({FUNCTION: answer}, failing), partial=partial)
    prompt = Conversation((Message(Role.USER, "40 + 2 ="),), reference={"reasoning_gym": reference})
    [result] = reward.score([Attempt(prompt, completion)])
    return result


def raising(*_: Any) -> None:
    raise RuntimeError


@pytest.mark.parametrize(
    ("given", "value", "partly"),
    [({"score": 1.0}, 1, 1), ({"score": 1}, 1, 1), ({"score": 0.5}, 0, 0.5), ({"score": 0.01}, 0, 0.01)],
)
def test_the_score_of_the_package(given: Any, value: float, partly: float) -> None:
    assert score("42", given).score == value
    assert score("42", given, partial=True).score == partly
    assert score("42", given).reasons == (() if value == 1 else ("wrong",))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"score": 2.0}, "invalid_score"),
        ({"score": -1.0}, "invalid_score"),
        ({"score": float("nan")}, "invalid_score"),
        ({"score": "1"}, "invalid_score"),
        ({}, "invalid_score"),
        (None, "invalid_score"),
        ({"unknown_task": "x"}, "unknown_task"),
    ],
)
def test_what_is_no_score_is_the_grader_s_failure(given: Any, reason: str) -> None:
    result = score("42", given)
    assert (result.score, result.reasons, result.is_infra_error) == (None, (reason,), True)


def test_an_answer_that_breaks_the_scorer_is_wrong() -> None:
    assert score("42", {"failed": "TypeError"}).reasons == ("answer_not_of_the_task",)
    crashed = score("42", raising)
    assert (crashed.score, crashed.verdict) == (0, Verdict.CRASH)


def test_a_sandbox_that_fails_is_no_zero() -> None:
    result = score("42", failing="killed")
    assert (result.score, result.reasons, result.is_infra_error) == (None, ("killed",), True)


@pytest.mark.parametrize("reference", [{}, {"task": "chain_sum"}, {"task": 1, "entry": {}}, "chain_sum"])
def test_a_malformed_reference_is_the_grader_s_failure(reference: Any) -> None:
    assert score("42", reference=reference).reasons == ("malformed_reference",)


def test_text_that_would_run_never_gets_to_the_scorer() -> None:
    row = {"task": "spiral_matrix", "entry": {"answer": "1 2"}}
    result = score("__import__('os').system('id')", raising, row)
    assert (result.score, result.reasons, result.verdict) == (0, ("answer_not_of_the_task",), None)
