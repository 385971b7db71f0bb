"""Where the result of a completion is, and which are given to a parser."""

from __future__ import annotations

import pytest

from cesello.domain.math_answer import final_answer, is_left_to_do, lists_several, sides, unreadable

FOUND = {
    r"First \boxed{1}, so \boxed{\frac{1}{2}}.": r"\frac{1}{2}",
    r"\boxed{ }": None,
    "6 * 7\n#### 42": "42",
    "#### 1\n#### 2": "2",
    "The answer is 42.": "42",
    "Answer: $x^2$": "x^2",
    "**Answer:** 42": "42",
    "The final answer is: 3/4": "3/4",
    "La risposta è 42.": "42",
    "The result is **42**.": "42",
    "So we get $$x + 1$$": "x + 1",
    r"So we get \(x + 1\).": "x + 1",
    r"So \[ 42 \]": "42",
    "x = 42": "x = 42",
    "(1, 2)": "(1, 2)",
    "$42$": "42",
    "There are 3 boxes of 14, so 42 apples.": "42",
    "It costs 1,234.50 in all": "1,234.50",
    "It is -3/4 of them": "-3/4",
    "I do not know.": None,
    "": None,
    r"\boxed{42": None,
    r"\boxed{5}{6}": None,
    r"\boxed{5}^2": None,
    r"\boxed{5}\frac{1}{2}": None,
    r"\boxed{5} / 6 is wrong": "5",
    r"\boxed{5}/6": None,
    r"**\boxed{42}**": "42",
    r"\boxed{42} (apples)": "42",
    r"\boxed{50}\%": "50",
}


@pytest.mark.parametrize("text", FOUND)
def test_the_result(text: str) -> None:
    assert final_answer(text) == FOUND[text]


@pytest.mark.parametrize(
    "answer", ["42", r"\frac{1}{2}", "x^2 + 3x", "(1, 2]", r"\sqrt{2}\pi", "50\\%", "3 apples", "π"]
)
def test_mathematics_is_read(answer: str) -> None:
    assert unreadable(answer) is None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("().__class__", "answer_not_mathematics"),
        ('__import__("os")', "answer_not_mathematics"),
        ('"a"', "answer_not_mathematics"),
        ("a@b", "answer_not_mathematics"),
        ("x\x00", "answer_not_mathematics"),
        ("\ud800", "answer_not_mathematics"),
        ("9" * 401, "answer_too_long"),
        ("(" * 11, "answer_too_deep"),
    ],
)
def test_what_is_not_given_to_a_parser(answer: str, reason: str) -> None:
    assert unreadable(answer) == reason


@pytest.mark.parametrize(
    "answer",
    [
        "41, 42",
        "41 or 42",
        "41 and 42",
        "41; 42",
        r"42 \pm 1",
        r"41 \text{ or } 42",
        "1,2,3",
        r"42 \approx 41",
        "42_41",
        r"{42}_{41}",
        r"41 \Rightarrow 42",
        r"42 \sim 41",
        r"41 \to 42",
    ],
)
def test_several_answers(answer: str) -> None:
    assert lists_several(answer, "42")


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("1,000", "1000"),
        ("(1, 2)", "(1, 2)"),
        ("1, 2", "2, 1"),
        ("x or y", "x or y"),
        ("f(x, y)", "f(x, y)"),
        ("52_8", "52_8"),
    ],
)
def test_one_answer(answer: str, reference: str) -> None:
    assert not lists_several(answer, reference)


@pytest.mark.parametrize(
    ("answer", "reference", "claimed"),
    [
        ("42", "42", ("42",)),
        ("x = 42", "42", ("42",)),
        ("f(x) = 42", "42", ("42",)),
        ("6*7 = 42", "42", ("6*7", "42")),
        ("x = 6*7 = 42", "42", ("6*7", "42")),
        ("1=2=42", "42", ("1", "2", "42")),
        ("y = 2x", "y = 2x", ("y = 2x",)),
        ("x >= 2", "2", ("x >= 2",)),
    ],
)
def test_what_an_equation_claims(answer: str, reference: str, claimed: tuple[str, ...]) -> None:
    assert sides(answer, reference) == claimed


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("6*7", "42"),
        (r"6 \times 7", "42"),
        ("40 + 2", "42"),
        ("50 - 8", "42"),
        ("(50)-8", "42"),
        ("4!", "24"),
        ("84/2", "42"),
        (r"\frac{84}{2}", "42"),
        ("42/1", "42"),
        ("5/10", r"\frac{1}{2}"),
        (r"\frac{3}{4}-\frac{1}{4}", r"\frac12"),
        ("2^{10}", "1024"),
        (r"\sqrt{144}", "12"),
        (r"\log_2{64}", "6"),
        ("6(7)", "42"),
        ("|3-10|", "7"),
        (r"\int_0^{42} 1 dx", "42"),
        (r"\sum_{n=1}^3 n", "6"),
        (r"\int x dx", r"\frac{x^2}{2}"),
        (r"\frac{d}{dx} x^2", "2x"),
    ],
)
def test_the_task_again_is_no_answer(answer: str, reference: str) -> None:
    assert is_left_to_do(answer, reference)


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("42", "42"),
        ("-42", "-42"),
        ("1/2", "0.5"),
        (r"\frac{1}{2}", "0.5"),
        (r"\frac{5}{10}", r"\frac{5}{10}"),
        ("1024", "2^{10}"),
        ("42 apples", "42"),
        (r"4.2 \times 10^{1}", "42"),
        ("4.2*10^1", "42"),
        ("x + x", "2x"),
        (r"\sqrt{2} + 1", r"1+\sqrt{2}"),
        (r"\int f dx", r"\int f dx"),
    ],
)
def test_what_is_worked_out(answer: str, reference: str) -> None:
    assert not is_left_to_do(answer, reference)
