from __future__ import annotations

from typing import Any

import pytest

from cesello.adapters.reward.chat_reward import ChatReward
from cesello.adapters.reward.coding_reward import CodingReward
from cesello.adapters.reward.combined_reward import CombinedReward
from cesello.adapters.reward.function_calling_reward import FunctionCallingReward
from cesello.domain.code_tests import Grade
from cesello.domain.conversation import Conversation, Message, Role
from cesello.domain.errors import UsageError
from cesello.domain.reward import Attempt, RewardResult, Verdict
from tests.fakes.sandbox import FakeSandbox

ANSWER = "That is not what any of the tools can do."


def combined(sandbox: FakeSandbox | None = None) -> CombinedReward:
    return CombinedReward(
        {
            "coding": CodingReward(sandbox or FakeSandbox()),
            "function_calling": FunctionCallingReward(),
            "chat": ChatReward(),
        }
    )


def attempt(question: str, completion: str = ANSWER, **reference: Any) -> Attempt:
    return Attempt(Conversation((Message(Role.USER, question),), reference=reference), completion)


def score(one: Attempt) -> RewardResult:
    [result] = combined().score([one])
    return result


@pytest.mark.parametrize(
    ("question", "reference", "how"),
    [
        ("Write a python function to get the weather.", {}, "detected:coding"),
        ("Write a python function to get the weather.", {"task": "chat"}, "task:chat"),
        ("What is the weather?", {"calls": []}, "detected:function_calling"),
        ("Write it.", {"tests": "assert f(1)"}, "detected:coding"),
        ("Hello!", {}, "detected:chat"),
        ("Hello!", {"task": "coding"}, "task:coding"),
    ],
)
def test_which_reward_was_chosen_and_how_is_said_first(
    question: str, reference: dict[str, Any], how: str
) -> None:
    assert score(attempt(question, **reference)).reasons[0] == how


def test_what_the_chosen_reward_says_is_kept() -> None:
    result = score(attempt("Sing.", calls=[]))
    assert (result.score, dict(result.parts)) == (1.0, {"chosen": 1.0})
    result = score(attempt("Write it.", "no code", tests="assert f(1)"))
    assert (result.score, result.reasons) == (-1.0, ("detected:coding", "no_code"))


@pytest.mark.parametrize(
    ("reference", "how"), [({"answer": "42"}, "detected:math"), ({"task": "x"}, "task:x")]
)
def test_a_task_without_a_reward_is_not_judged(reference: dict[str, Any], how: str) -> None:
    result = score(attempt("6 times 7?", **reference))
    assert (result.score, result.parts) == (None, {})
    assert result.reasons == (how, "no_reward_for_task")


def test_a_grader_that_fails_fails_here_too() -> None:
    sandbox = FakeSandbox(otherwise=Grade(Verdict.INFRA_ERROR, reason="killed"))
    [result] = combined(sandbox).score([attempt("Write it.", "def f(x): return x", tests="assert f(1)")])
    assert (result.score, result.parts, result.is_infra_error) == (None, {}, True)
    assert result.reasons == ("detected:coding", "killed")


def test_each_reward_is_asked_once_and_results_come_in_order() -> None:
    sandbox = FakeSandbox()
    rows = [attempt("Write it.", f"def f(x): return x + {n}", tests="assert f(1)") for n in range(2)]
    results = combined(sandbox).score([rows[0], attempt("Hello!"), attempt("Sing.", calls=[]), rows[1]])
    assert [len(batch) for batch in sandbox.graded] == [2]
    assert [result.reasons[0].split(":")[1] for result in results] == [
        "coding",
        "chat",
        "function_calling",
        "coding",
    ]


def test_it_needs_a_reward() -> None:
    with pytest.raises(UsageError, match="C087"):
        CombinedReward({})
