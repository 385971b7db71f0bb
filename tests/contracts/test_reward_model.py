"""What every RewardModel owes, on the fake and on every adapter."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.adapters.reward.answer_reward import AnswerReward
from cesello.adapters.reward.chat_reward import ChatReward
from cesello.adapters.reward.coding_reward import CodingReward
from cesello.adapters.reward.combined_reward import CombinedReward
from cesello.adapters.reward.format_reward import FormatReward
from cesello.adapters.reward.function_calling_reward import FunctionCallingReward
from cesello.adapters.reward.judge_reward import JudgeReward
from cesello.adapters.reward.length_reward import LengthReward
from cesello.adapters.reward.math_reward import MathReward
from cesello.adapters.reward.reasoning_gym_reward import ReasoningGymReward
from cesello.domain.chatml import call_as_text
from cesello.domain.code_tests import Grade
from cesello.domain.conversation import Conversation, Message, Role, ToolCall, user
from cesello.domain.ports.reward import RewardModel
from cesello.domain.reward import Attempt, Reads, RewardResult, Verdict
from tests.fakes.reward import FakeRewardModel
from tests.fakes.sandbox import FakeIsolatedFunctions, FakeSandbox
from tests.fakes.text import FakeTextGenerator

CALL = call_as_text(ToolCall("add", '{"a": 1}'))
PROGRAM = "```python\ndef double(x):\n    return x + x\n```"
ADVICE = "Use a list, since it keeps the order and can be sorted in place."
TESTS = {"tests": "assert double(2) == 4", "entry_point": "double"}
LETTERS = {"type": "array", "items": {"type": "string", "pattern": "^(a+)+$"}, "uniqueItems": True}


def asked(question: str, /, **reference: Any) -> Conversation:
    return Conversation((Message(Role.USER, question),), reference=reference)


def coding() -> CodingReward:
    return CodingReward(FakeSandbox({"return x + x": Grade(Verdict.PASSED, 1, 1)}))


def math() -> MathReward:
    def equal(reference: str, answers: list[str]) -> str:
        return "equal" if answers == [reference] else "different"

    return MathReward(FakeIsolatedFunctions({"cesello.adapters.reward.math_check:equal": equal}))


def reasoning() -> ReasoningGymReward:
    def score(task: str, answer: str, entry: Mapping[str, Any]) -> dict[str, float]:
        return {"score": float(answer == entry["answer"])}

    name = "cesello.adapters.reward.reasoning_gym_check:score"
    return ReasoningGymReward(FakeIsolatedFunctions({name: score}))


@dataclass(frozen=True)
class Owed:
    """How a reward is made, a row it applies to, the best answer to it, and a row it does not apply to."""

    made: Callable[[], RewardModel]
    row: Conversation
    right: str
    other: Conversation | None


HELLO = user("hello")
GYM = {"task": "chain_sum", "entry": {"answer": "42"}}
ALL = {
    "fake": Owed(FakeRewardModel, asked("Add one.", calls=[{"add": {"a": [1]}}]), CALL, HELLO),
    "function_calling": Owed(
        FunctionCallingReward, asked("Add one.", calls=[{"add": {"a": [1]}}]), CALL, HELLO
    ),
    "no_call": Owed(FunctionCallingReward, asked("Sing.", calls=[]), "I have no tool for that.", HELLO),
    "coding": Owed(coding, asked("Write double.", **TESTS), PROGRAM, HELLO),
    "coding_untested": Owed(coding, user("Write a Python function `double`."), PROGRAM, HELLO),
    "chat": Owed(ChatReward, user("Which of the two is the better, and what for?"), ADVICE, None),
    "chat_with_text": Owed(ChatReward, asked("List or set?", text=ADVICE), ADVICE, None),
    "length": Owed(lambda: LengthReward(shortest=5, longest=20), HELLO, ADVICE, None),
    "pattern": Owed(lambda: FormatReward(pattern="(a+)+b"), HELLO, "aab", None),
    "schema": Owed(lambda: FormatReward(json_schema=LETTERS), HELLO, '["a", "aa"]', None),
    "math": Owed(math, asked("6 times 7?", answer="42"), r"It is \boxed{42}.", HELLO),
    "answer": Owed(AnswerReward, asked("Which class has `find`?", answers=["A", "mod.A"]), "`A`.", HELLO),
    "reasoning_gym": Owed(reasoning, asked("40 + 2 =", reasoning_gym=GYM), "<answer>42</answer>", HELLO),
    "judge": Owed(lambda: JudgeReward(FakeTextGenerator({ADVICE: "9"})), HELLO, ADVICE, None),
    "combined": Owed(
        lambda: CombinedReward({"coding": coding(), "math": math()}),
        asked("Write double.", **TESTS),
        PROGRAM,
        HELLO,
    ),
}
RIGHT = [owed.right for owed in ALL.values()]
MARKS = [
    "<tool_call>",
    "```",
    "```python\n",
    "\n",
    "{",
    "}",
    "[",
    "(",
    " ",
    "\x00",
    '"name"',
    "add",
    "\ud800",
]
STARTS = ["\\boxed{", "####", "$", "<answer>", "</answer>", "def double(x):", "\t", "NaN", "ß", "的"]
pieces = st.lists(st.sampled_from([*RIGHT, *MARKS, *STARTS]))
completions = st.text() | st.text(st.characters(categories=["Cs", "L"])) | pieces.map("".join)
HOSTILE = {
    "nothing": "",
    "space": " \n\t" * 1_000,
    "a lone surrogate": "\ud800",
    "NUL": "\x00" * 10,
    "a megabyte": "a" * 1_000_000,
    "a megabyte of words": "word " * 200_000,
    "a megabyte of digits": "9" * 1_000_000,
    "brackets": "[" * 100_000,
    "a program of brackets": "```python\n" + "(" * 10_000 + "\n```",
    "a program of elifs": "def double(x): return x\nif x: y\n" + "elif x: y\n" * 2_000,
    "a program of minus signs": "```python\nx = " + "-" * 100_000 + "1\n```",
    "fences": "```\n" * 50_000,
    "boxes": "\\boxed{" * 50_000,
    "dollars": "$" * 100_000,
    "tags": "<answer>" * 50_000,
    "calls": "<tool_call>" * 50_000,
    "JSON nested deep": '{"a":' * 20_000,
    "a call nested deep": '<tool_call>{"name": "add", "arguments": ' + '{"a":' * 20_000,
    "what patterns choke on": "a" * 50_000 + "!",
    "JSON that patterns choke on": '["' + "a" * 5_000 + '!"]',
    "many items": "[" + "[]," * 50_000 + "[]]",
    "def": "def " * 100_000,
    "spaces and words": "write " * 50_000 + " " * 100_000,
    "sentences": ". " * 200_000,
    "tokens": "<|" * 100_000 + "|>" * 100_000,
    "strange letters": "\u202e\u200b\ufeff" * 1_000,
}


@pytest.fixture(params=ALL, scope="module")
def owed(request: pytest.FixtureRequest) -> Owed:
    return ALL[request.param]


@pytest.fixture(scope="module")
def reward(owed: Owed) -> RewardModel:
    return owed.made()


def one(reward: RewardModel, prompt: Conversation, completion: str) -> RewardResult:
    [result] = reward.score([Attempt(prompt, completion)])
    return result


def holds(reward: RewardModel, result: RewardResult) -> None:
    lowest, highest = reward.range
    assert result.score is not None, result.reasons
    assert lowest <= result.score <= highest
    assert tuple(result.parts) == reward.parts
    assert all(-1 <= value <= 1 for value in result.parts.values())


def test_it_says_what_it_is(reward: RewardModel) -> None:
    assert reward.name
    assert len(set(reward.parts)) == len(reward.parts) > 0
    assert -1 <= reward.range[0] < reward.range[1] <= 1
    assert reward.reads
    assert reward.reads <= set(Reads)


@given(completion=completions)
def test_a_result_has_every_part_and_stays_in_its_range(
    owed: Owed, reward: RewardModel, completion: str
) -> None:
    holds(reward, one(reward, owed.row, completion))


@given(completion=completions)
def test_the_same_completion_gets_the_same_result(owed: Owed, reward: RewardModel, completion: str) -> None:
    assert one(reward, owed.row, completion) == one(owed.made(), owed.row, completion)


@given(drawn=st.lists(st.tuples(completions, st.booleans()), max_size=5))
def test_a_batch_is_judged_as_its_attempts_alone_and_in_order(
    owed: Owed, reward: RewardModel, drawn: list[tuple[str, bool]]
) -> None:
    attempts = [Attempt(owed.other if other and owed.other else owed.row, text) for text, other in drawn]
    assert reward.score(attempts) == [one(reward, attempt.prompt, attempt.completion) for attempt in attempts]


@pytest.mark.parametrize("name", [name for name, owed in ALL.items() if owed.other])
@given(completion=completions)
def test_a_prompt_that_cannot_be_graded_is_no_zero(name: str, completion: str) -> None:
    owed = ALL[name]
    assert owed.other
    result = one(owed.made(), owed.other, completion)
    assert (result.score, dict(result.parts), result.verdict) == (None, {}, None)
    assert result.reasons


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_judged_soon(owed: Owed, reward: RewardModel, text: str) -> None:
    begun = time.monotonic()
    holds(reward, one(reward, owed.row, HOSTILE[text]))
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_question_is_read_soon(reward: RewardModel, text: str) -> None:
    begun = time.monotonic()
    reward.score([Attempt(user(HOSTILE[text]), "Yes.")])
    assert time.monotonic() - begun < 10


def test_a_right_answer_is_better_than_nothing(owed: Owed, reward: RewardModel) -> None:
    best, nothing = one(reward, owed.row, owed.right).score, one(reward, owed.row, "").score
    assert best is not None
    assert nothing is not None
    assert best > nothing


@pytest.mark.parametrize("text", HOSTILE)
def test_noise_is_never_better_than_a_right_answer(owed: Owed, reward: RewardModel, text: str) -> None:
    best, noise = one(reward, owed.row, owed.right).score, one(reward, owed.row, HOSTILE[text]).score
    assert best is not None
    assert noise is not None
    assert best >= noise
