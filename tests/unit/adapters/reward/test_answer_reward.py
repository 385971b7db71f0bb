"""A short answer is right when it is one of the right ones and nothing else."""

from __future__ import annotations

import pytest

from cesello.adapters.reward.answer_reward import AnswerReward
from cesello.domain.conversation import Conversation, Message, Role
from cesello.domain.reward import Attempt, RewardResult

ASKED = Conversation(
    (Message(Role.USER, "In which file is `find` defined? Answer with its path alone."),),
    reference={"answers": ["core/find.py", "find.py"]},
)


def judged(completion: str, prompt: Conversation = ASKED) -> RewardResult:
    [result] = AnswerReward().score([Attempt(prompt, completion)])
    return result


@pytest.mark.parametrize(
    "right",
    ["core/find.py", "`find.py`.", "./core/find.py", "Hm.\nAnswer: core/find.py", "Answer:\ncore/find.py"],
)
def test_right(right: str) -> None:
    assert judged(right) == RewardResult(1.0, {"exact": 1.0, "f1": 1.0, "said": 1.0})


@pytest.mark.parametrize(
    ("wrong", "reason", "said"),
    [
        ("core/other.py", "wrong", 0.0),
        ("", "no_answer", 0.0),
        ("Answer: core/find.py\nAnswer: core/other.py", "no_answer", 0.0),
        ("It is in core/find.py, or in core/other.py", "not_alone", 1.0),
        ("core/find.py\n" * 3, "not_alone", 1.0),
        (ASKED.messages[0].content, "wrong", 0.0),
        ("core/find.py " * 100_000, "too_long", 0.0),
        ("x" * 39_000, "too_long", 0.0),
    ],
)
def test_wrong(wrong: str, reason: str, said: float) -> None:
    result = judged(wrong)
    assert (result.score, result.reasons, result.parts["said"]) == (0.0, (reason,), said)


def test_a_row_without_an_answer_is_not_judged() -> None:
    assert judged("a", Conversation(ASKED.messages)) == RewardResult(None, reasons=("no_reference",))


@pytest.mark.parametrize(
    "piece", [" ", "\n", ".", "!", "a ", "'", "**", "./", "a, ", "Answer:\n", "```\n", "()", "- a\n"]
)
def test_no_answer_takes_long(piece: str) -> None:
    for text in (piece * 20_000, f"```\n{piece * 1_900}x```", piece * 1_900 + "x"):
        assert judged(text).score == 0.0


def test_a_long_answer_may_be_right() -> None:
    long = "x = 1\n" * 2_000
    prompt = Conversation(ASKED.messages, reference={"answers": [long]})
    assert judged(f"```python\n{long}```", prompt).score == 1.0


def asked_for(compare: str, *answers: str) -> Conversation:
    return Conversation(ASKED.messages, reference={"answers": list(answers), "compare": compare})


HOLE = "if Foo(x):\n    return Foo(x, 'a')"


@pytest.mark.parametrize(
    "right",
    [
        HOLE,
        f"```python\n{HOLE}\n```",
        "    if Foo(x):\n        return Foo(x, 'a')\n",
        'if Foo( x ):  # said\n  return Foo(x, "a")',
        f"<think>if?</think>\n{HOLE}",
    ],
)
def test_python_is_right_by_its_syntax(right: str) -> None:
    assert judged(right, asked_for("python", HOLE)).score == 1.0


@pytest.mark.parametrize(
    "wrong",
    [
        HOLE.replace("return Foo", "return foo"),
        HOLE.replace("\n    ", "\n"),
        f"{HOLE},",
        f"{HOLE}\nx = 1",
        f"The {HOLE}",
        " ".join(HOLE.replace(":", "").split()),
        "",
    ],
)
def test_python_with_another_case_or_form_is_wrong(wrong: str) -> None:
    assert judged(wrong, asked_for("python", HOLE)).score == 0.0


def test_a_name_that_is_called_answer_is_code() -> None:
    code = "answer: str = question.strip()"
    assert judged(code, asked_for("python", code)).score == 1.0
    assert judged(code, Conversation(ASKED.messages, reference={"answers": [code]})).score == 1.0
    assert judged("question.strip()", asked_for("python", code)).score == 0.0


def test_other_code_is_compared_by_its_lines() -> None:
    code = "if (a) {\n  go(B);\n}"
    assert judged("```js\nif (a) {  \n  go(B);\n}\n```", asked_for("lines", code)).score == 1.0
    for wrong in ("if (a) {\n  go(b);\n}", "if (a) {\ngo(B);\n}", "if (a) { go(B); }"):
        assert judged(wrong, asked_for("lines", code)).score == 0.0


def test_deep_code_is_judged() -> None:
    deep = "x = " + "(" * 3_000
    assert judged(deep, asked_for("python", deep)).score == 1.0
    assert judged("x = " + "-" * 3_000 + "1", asked_for("python", "x = 1")).score == 0.0
