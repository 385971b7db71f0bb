from __future__ import annotations

from typing import Any

import pytest

from cesello.adapters.reward.math_reward import MathReward
from cesello.domain.code_tests import Limits
from cesello.domain.conversation import Conversation, Message, Role
from cesello.domain.errors import SandboxError
from cesello.domain.reward import Attempt, RewardResult, Verdict
from tests.fakes.sandbox import FakeIsolatedFunctions

FUNCTION = "cesello.adapters.reward.math_check:equal"


def equal(reference: str, answers: list[str]) -> str:
    """Numbers, and 6*7; ``x`` takes too much."""
    if "x" in answers:
        raise MemoryError
    answers = ["42" if one == "6*7" else one for one in answers]
    try:
        wanted = float(reference)
    except ValueError:
        return "unreadable_reference"
    try:
        return "equal" if all(float(one) == wanted for one in answers) else "different"
    except ValueError:
        return "unreadable"


def score(
    completion: str,
    answer: Any = "42",
    functions: FakeIsolatedFunctions | None = None,
    question: str = "6 times 7?",
) -> RewardResult:
    prompt = Conversation((Message(Role.USER, question),), reference={"answer": answer})
    reward = MathReward(functions or FakeIsolatedFunctions({FUNCTION: equal}))
    [result] = reward.score([Attempt(prompt, completion)])
    return result


@pytest.mark.parametrize(
    ("completion", "value", "reasons"),
    [
        (r"\boxed{42}", 1, ()),
        (r"\boxed{42.0}", 1, ()),
        ("#### 42", 1, ()),
        (r"\boxed{x = 42}", 1, ()),
        (r"\boxed{41}", -0.5, ("wrong",)),
        (r"\boxed{6 * 7}", -0.5, ("not_worked_out",)),
        (r"\boxed{84/2}", -0.5, ("not_worked_out",)),
        (r"\boxed{42\%}", -0.5, ("wrong",)),
        (r"\boxed{42}{41}", -1, ("no_answer",)),
        (r"\boxed{6*7 = 42}", 1, ()),
        (r"\boxed{x = 42 = 41}", -0.5, ("wrong",)),
        (r"\boxed{41 = 42}", -0.5, ("wrong",)),
        (r"\boxed{41, 42}", -0.5, ("several_answers",)),
        (r"\boxed{42 \text{ or } 41}", -0.5, ("several_answers",)),
        (r"\boxed{42} or \boxed{41}", -0.5, ("wrong",)),
        (r"\boxed{apples}", -0.5, ("not_worked_out",)),
        (r'\boxed{__import__("os")}', -0.8, ("answer_not_mathematics",)),
        (r"\boxed{x = y = 42}", -0.8, ("answer_not_mathematics",)),
        ("I do not know.", -1, ("no_answer",)),
        ("", -1, ("no_answer",)),
    ],
)
def test_the_ladder(completion: str, value: float, reasons: tuple[str, ...]) -> None:
    result = score(completion)
    assert (result.score, result.reasons) == (value, reasons)
    assert dict(result.parts) == {"answered": float(value > -0.8), "correct": float(value == 1)}


@pytest.mark.parametrize("answer", [42, 42.0, " 42 ", "6 * 7 = 42\n#### 42", r"So \boxed{42}."])
def test_forms_of_a_reference(answer: Any) -> None:
    assert score(r"\boxed{42}", answer).score == 1


@pytest.mark.parametrize("answer", [None, "", True, ["42"]])
def test_without_a_reference_it_does_not_apply(answer: Any) -> None:
    result = score(r"\boxed{42}", answer)
    assert (result.score, result.parts, result.reasons) == (None, {}, ("no_reference",))


def test_a_reference_nobody_can_read_is_the_grader_s_failure() -> None:
    result = score(r"\boxed{42}", "Paris")
    assert (result.score, result.reasons, result.is_infra_error) == (None, ("unreadable_reference",), True)


ECHOES = {
    "What is 84/2?": "42",
    "Evaluate $2^{10}$.": "1024",
    r"What is $\sqrt{144}$?": "12",
    r"$\sqrt{144}$": "12",
    r"Simplify $\frac{x^2-1}{x-1}$": "x+1",
    r"Compute $\frac34-\frac14$": r"\frac12",
    "Factor $x^2+2x+1$": "(x+1)^2",
    "Expand $(x+1)^2$": "x^2+2x+1",
    "What is 5/10?": "0.5",
}


@pytest.mark.parametrize("question", ECHOES)
def test_the_question_is_no_answer(question: str) -> None:
    functions = FakeIsolatedFunctions({FUNCTION: lambda *_: "equal"})
    for echo in (question, question.split("$")[1] if "$" in question else question):
        result = score(echo, ECHOES[question], functions, question)
        assert (result.score, result.reasons) == (-0.5, ("copied",))
    assert functions.calls == []


def test_numbers_need_no_sandbox() -> None:
    functions = FakeIsolatedFunctions(broken=True)
    assert score(r"\boxed{42}", functions=functions).score == 1
    assert score(r"\boxed{0.0000008}", 0.0000012, functions).score == -0.5


def test_a_sandbox_that_fails_is_no_zero() -> None:
    result = score(r"\boxed{x+1}", "x+1", functions=FakeIsolatedFunctions(failing="killed"))
    assert (result.score, result.reasons, result.is_infra_error) == (None, ("killed",), True)
    with pytest.raises(SandboxError, match="X001"):
        score(r"\boxed{x+1}", "x+1", FakeIsolatedFunctions(broken=True))


def test_a_batch_is_one_call_and_what_is_refused_is_not_in_it() -> None:
    functions = FakeIsolatedFunctions({FUNCTION: equal})
    prompt = Conversation((Message(Role.USER, "?"),), reference={"answer": "42"})
    texts = [r"\boxed{1*1 = 42}", "none", r"\boxed{6*7 = 42}", r"\boxed{f'x'.y@}"]
    MathReward(functions, Limits(wall=1.0)).score([Attempt(prompt, text) for text in texts])
    assert functions.calls == [(FUNCTION, [["42", ["1*1"]], ["42", ["6*7"]]])]


def test_a_verdict_is_told_where_the_comparison_was_stopped() -> None:
    result = score(r"\boxed{x}", "y")
    assert (result.score, result.verdict, result.reasons) == (-0.8, Verdict.LIMIT, ("limit",))
