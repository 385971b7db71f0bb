"""Symbolic equality by the real package: what is equal, and what is never believed to be."""

from __future__ import annotations

import pytest

from cesello.adapters.reward.math_check import equal

SAME = [
    ("1/2", "0.5"),
    ("1/2", r"\frac{1}{2}"),
    ("0.5", r"50\%"),
    (r"\sqrt{2}", "2^{1/2}"),
    ("x^2-1", "(x-1)(x+1)"),
    ("1,000", "1000"),
    ("(1, 2)", "(1,2)"),
    (r"\{1, 2\}", r"\{2, 1\}"),
    ("3", "3 apples"),
    (r"\frac{\pi}{2}", r"\pi/2"),
    ("y = 2x", "y = x + x"),
    ("1/3", "0.333333"),
]
OTHER = [
    ("42", "41"),
    ("42", "42.0001"),
    ("42", r"\{41, 42\}"),
    ("42", "41, 42"),
    ("42", r"42 \pm 1"),
    ("42", "x"),
    ("42", r"[41, 43]"),
    ("10^{12}", "10^{12}+1"),
    ("1/3", "0.33"),
    ("x^2", "x^3"),
]


@pytest.mark.parametrize(("reference", "answer"), SAME)
def test_equal(reference: str, answer: str) -> None:
    assert equal(reference, [answer]) == "equal"


@pytest.mark.parametrize(("reference", "answer"), OTHER)
def test_different(reference: str, answer: str) -> None:
    assert equal(reference, [answer]) == "different"


def test_every_answer_counts() -> None:
    assert equal("42", ["6*7", "42"]) == "equal"
    assert equal("42", ["41", "42"]) == "different"
    assert equal("42", []) == "unreadable"


@pytest.mark.parametrize(
    "answer", ["", "__import__('os').abort()", "exit(0)", "print(1)", "\\", "{", "=", "$"]
)
def test_what_is_no_mathematics_is_never_equal(answer: str) -> None:
    assert equal("42", [answer]) in ("unreadable", "different")


def test_a_reference_that_cannot_be_read() -> None:
    assert equal("", ["42"]) == "unreadable_reference"
