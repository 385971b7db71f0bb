"""A program's place on the ladder: no hack above an honest wrong answer."""

from __future__ import annotations

from typing import Any

import pytest

from cesello.adapters.reward.coding_reward import CodingReward
from cesello.domain.code_tests import Grade, Limits
from cesello.domain.conversation import Conversation, Message, Role, user
from cesello.domain.errors import SandboxError
from cesello.domain.reward import Attempt, RewardResult, Verdict
from tests.fakes.sandbox import FakeSandbox

ASKED = "Write a Python function `factorial`."
FACTORIAL = "```python\ndef factorial(n):\n    return 1 if n < 2 else n * factorial(n - 1)\n```"
WRONG = "```python\ndef factorial(n):\n    return n * (n - 1)\n```"
CONSTANT = "```python\ndef factorial(n):\n    return 42\n```"
EMPTY = "```python\n```"
PLACEHOLDER = "```python\ndef factorial(n):\n    pass\n```"
TESTS = {"tests": "assert factorial(3) == 6", "entry_point": "factorial"}
PASSED, CRASH = Grade(Verdict.PASSED, 2, 2), Grade(Verdict.CRASH, detail="exit status 0")
GRADES = {
    "factorial(n - 1)": PASSED,
    "lambda n": PASSED,
    "sys.exit": CRASH,
    "while True": Grade(Verdict.TIMEOUT),
    "[0] * 10": Grade(Verdict.LIMIT, reason="memory"),
    "__eq__": Grade(Verdict.INVALID_OUTPUT),
}


def row(**reference: Any) -> Conversation:
    return Conversation((Message(Role.USER, ASKED),), reference=reference)


TESTED, UNTESTED = row(**TESTS), user(ASKED)


def score(
    completion: str, prompt: Conversation = TESTED, sandbox: FakeSandbox | None = None, **options: Any
) -> RewardResult:
    reward = CodingReward(sandbox or FakeSandbox(GRADES), **options)
    [result] = reward.score([Attempt(prompt, completion)])
    return result


LADDER = [
    ("", -1.0, ("no_code",)),
    (EMPTY, -1.0, ("no_code",)),
    ("I cannot.", -1.0, ("no_code",)),
    (ASKED, -1.0, ("no_code",)),
    ("```python\ndef factorial(n:\n```", -0.9, ("does_not_parse",)),
    ("```python\nimport sys\n```", -0.7, ("undefined",)),
    ("```python\ndef fact(n): return n\n```", -0.7, ("undefined",)),
    (PLACEHOLDER, -0.6, ("wrong", "placeholder")),
    ("```python\nimport sys\nsys.exit(0)\ndef factorial(n): return n\n```", -0.5, ("crash",)),
    ("```python\ndef factorial(n):\n    while True: n += 1\n```", -0.5, ("timeout",)),
    ("```python\ndef factorial(n): return [0] * 10**n\n```", -0.5, ("limit", "limit:memory")),
    (
        "```python\nclass A:\n  def __eq__(self, o): return True\ndef factorial(n): return A() or n\n```",
        -0.5,
        ("invalid_output",),
    ),
    (CONSTANT, -0.4, ("wrong", "ignores_arguments")),
    (WRONG, -0.3, ("wrong",)),
    (FACTORIAL, 1.0, ()),
    ("```python\nfactorial, other = (lambda n: n), 1\n```", 1.0, ()),
    ("```python\nglobals()['factorial'] = lambda n: n\n```", 1.0, ()),
    ("```python\nglobals()['factorial'] = 1\n```", -0.7, ("undefined",)),
]


@pytest.mark.parametrize(("completion", "value", "reasons"), LADDER)
def test_the_ladder(completion: str, value: float, reasons: tuple[str, ...]) -> None:
    result = score(completion)
    assert (result.score, result.reasons) == (value, reasons)


UNTESTED_LADDER = [
    (EMPTY, -1.0, ("no_code",)),
    ("```python\ndef factorial(n:\n```", -0.9, ("does_not_parse",)),
    ("```python\nprint(1)\n```", -0.7, ("undefined",)),
    (PLACEHOLDER, -0.6, ("placeholder",)),
    (CONSTANT, -0.4, ("ignores_arguments",)),
    ("```python\nglobals()['factorial'] = lambda n: n\n```", -0.7, ("undefined",)),
    (FACTORIAL, 0.5, ("untested",)),
]


@pytest.mark.parametrize(("completion", "value", "reasons"), UNTESTED_LADDER)
def test_without_tests_the_look_of_it_decides(
    completion: str, value: float, reasons: tuple[str, ...]
) -> None:
    sandbox = FakeSandbox()
    result = score(completion, UNTESTED, sandbox)
    assert (result.score, result.reasons) == (value, reasons)
    assert sandbox.graded == []


def test_the_verdict_and_the_parts_are_told() -> None:
    assert score(FACTORIAL).verdict is Verdict.PASSED
    assert score(WRONG).verdict is Verdict.WRONG
    assert dict(score(WRONG).parts) == {"parses": 1, "defines": 1, "passes": 0}
    assert dict(score("```python\nx = 1\n```").parts) == {"parses": 1, "defines": 0, "passes": 0}
    assert score(FACTORIAL, UNTESTED).verdict is None


def test_all_programs_of_a_batch_go_to_the_sandbox_at_once_with_the_limits() -> None:
    sandbox, limits = FakeSandbox(GRADES), Limits(wall=1.0)
    attempts = [Attempt(TESTED, text) for text in (FACTORIAL, EMPTY, WRONG)] + [Attempt(UNTESTED, FACTORIAL)]
    scores = [result.score for result in CodingReward(sandbox, limits).score(attempts)]
    assert scores == [1.0, -1.0, -0.3, 0.5]
    [batch] = sandbox.graded
    assert [grading.limits for grading in batch] == [limits, limits]
    assert "factorial(n - 1)" in batch[0].program


def test_a_sandbox_that_fails_is_no_zero() -> None:
    result = score(FACTORIAL, sandbox=FakeSandbox(otherwise=Grade(Verdict.INFRA_ERROR, reason="killed")))
    assert (result.score, result.reasons, result.is_infra_error) == (None, ("killed",), True)


def test_without_a_sandbox_nothing_is_graded() -> None:
    with pytest.raises(SandboxError, match="X001"):
        score(FACTORIAL, sandbox=FakeSandbox(broken=True))


@pytest.mark.parametrize("tests", [3, "assert (", [{"args": [1]}], ["a", 1]])
def test_malformed_tests_are_the_grader_s_failure(tests: Any) -> None:
    result = score(FACTORIAL, row(tests=tests))
    assert (result.score, result.reasons, result.is_infra_error) == (None, ("malformed_tests",), True)


@pytest.mark.parametrize("question", ["hello", "What is a function?"])
def test_a_row_that_asks_for_no_code_is_not_judged(question: str) -> None:
    result = score(FACTORIAL, user(question))
    assert (result.score, result.parts, result.reasons) == (None, {}, ("no_code_asked",))


def test_the_body_of_a_function_goes_on_from_its_prefix() -> None:
    sandbox = FakeSandbox({"def f(n):\n    return n + 1": PASSED})
    prompt = row(tests="def check(f): assert f(1) == 2", entry_point="f", prefix="def f(n):\n")
    assert score("    return n + 1\n", prompt, sandbox).score == 1.0
    assert score("```python\ndef f(n):\n    return n + 1\n```", prompt, sandbox).score == 1.0


def test_the_helpers_of_a_prefix_are_the_row_s_in_its_tests() -> None:
    sandbox = FakeSandbox()
    prefix = "def helper(n):\n    return n\n\n\ndef f(n):\n"
    prompt = row(
        tests="def check(f): assert f(helper(1))", entry_point="f", prefix=prefix, setup="import math"
    )
    score("def helper(n): return 0\ndef f(n): return n", prompt, sandbox)
    assert sandbox.graded[0][0].tests.setup == "def helper(n):\n    return n\n\n\n\nimport math"


def test_a_script_that_prints_needs_to_define_nothing() -> None:
    prompt = row(tests=[{"input": "1", "output": "1"}])
    assert score("```python\nprint(input())\n```", prompt, FakeSandbox(otherwise=PASSED)).score == 1.0


FOUR = {"tests": ["assert factorial(1) == 1"] * 4, "entry_point": "factorial"}


@pytest.mark.parametrize(("passed", "value"), [(0, -0.3), (1, -0.1), (3, 0.3), (4, 0.5)])
def test_some_tests_are_worth_something_where_that_is_wanted(passed: int, value: float) -> None:
    sandbox = FakeSandbox(otherwise=Grade(Verdict.WRONG, passed, 4))
    assert score(WRONG, row(**FOUR), sandbox, partial=True).score == pytest.approx(value)
    assert score(WRONG, row(**FOUR), sandbox).score == -0.3
    assert score(CONSTANT, row(**FOUR), sandbox, partial=True).score == -0.4


MANY: dict[str, Any] = {
    "asserts": FOUR,
    "cases": {"tests": [{"args": [1], "expected": 1}] * 4, "entry_point": "factorial"},
    "exchanges": {"tests": [{"input": "1", "output": "1"}] * 4},
}


@pytest.mark.parametrize("tests", MANY)
def test_a_program_that_ends_early_is_measured_by_all_tests(tests: str) -> None:
    sandbox = FakeSandbox(otherwise=Grade(Verdict.WRONG, 1, 2))
    assert score(WRONG, row(**MANY[tests]), sandbox, partial=True).score == pytest.approx(-0.1)


def test_a_loop_makes_more_checks_than_are_written() -> None:
    sandbox = FakeSandbox(otherwise=Grade(Verdict.WRONG, 4, 16))
    assert score(WRONG, row(**FOUR), sandbox, partial=True).score == pytest.approx(-0.1)


def test_code_of_the_question_is_no_answer() -> None:
    given = "def factorial(n):\n    return n * (n - 1)\n"
    result = score(WRONG, user(f"Fix this function:\n\n{given}"))
    assert (result.score, result.reasons) == (-1.0, ("copied",))
    assert score(FACTORIAL, user(f"Fix this function:\n\n{given}")).score == 0.5
