"""Which results are a piece of the question."""

from __future__ import annotations

import time

import pytest

from cesello.domain.math_copy import is_copied


@pytest.mark.parametrize(
    ("answer", "reference", "question"),
    [
        ("84/2", "42", "What is 84/2?"),
        ("2^{10}", "1024", "Evaluate $2^{10}$."),
        ("2**10", "1024", "Evaluate $2^{10}$."),
        (r"\sqrt{144}", "12", r"$\sqrt{144}$"),
        (r"\frac{x^2-1}{x-1}", "x+1", r"Simplify $\frac{x^2-1}{x-1}$"),
        (r"(x^2-1)/(x-1)", "x+1", r"Simplify $\dfrac{x^2-1}{x-1}$"),
        (r"\left( x + 1 \right)^2", "x^2+2x+1", "Expand $(x+1)^2$"),
        (r"\frac34-\frac14", r"\frac12", r"Compute $\frac{3}{4}-\frac{1}{4}$"),
        ("x^2+2x+1", "(x+1)^2", "Factor $x^2+2x+1$"),
        (r"\frac{(x+1)^2}{x+1}", "x+1", r"Simplify $\frac{(x+1)^2}{x+1}$."),
        ("1/2", "0.5", "Write 1/2 as a decimal."),
        (r"6 \cdot 7", "42", r"6 \times 7?"),
    ],
)
def test_a_copy(answer: str, reference: str, question: str) -> None:
    assert is_copied(answer, reference, question)


@pytest.mark.parametrize(
    ("answer", "reference", "question"),
    [
        ("42", "42", "Is it 41 or 42?"),
        ("42.0", "42", "Is it 41 or 42.0?"),
        ("1000", "1,000", "Is it 1,000?"),
        (r"\frac12", "1/2", "Which is more, 1/2 or 1/3?"),
        ("4", "4.00", "What is 84/2?"),
        ("8", "2^3", "What is 84/2?"),
        ("x+1", "1+x", "Is it 1+x, or is x+1 the simpler?"),
        ("x+1", "1+x", "What divides $x^2-1$?"),
        ("", "1", "2"),
        ("5", "5", ""),
    ],
)
def test_no_copy(answer: str, reference: str, question: str) -> None:
    assert not is_copied(answer, reference, question)


@pytest.mark.parametrize(
    "piece", ["{", "\\frac", "\\frac{", "\\frac{1}", " ", "\\frac ", "9", "9,", "a", "\\", "$"]
)
def test_a_long_question_is_read_soon(piece: str) -> None:
    begun = time.monotonic()
    assert not is_copied("84/2", "42", (piece * 20_000)[:20_000])
    assert time.monotonic() - begun < 1
