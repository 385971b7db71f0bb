"""What is a number, and which are the same."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest

from cesello.domain.math_number import number_of, same_number

NUMBERS = {
    "42": 42,
    "+42": 42,
    "-42": -42,
    "−42": -42,
    "1,234.50": Fraction("1234.5"),
    "1{,}234": 1234,
    ".5": Fraction(1, 2),
    "42.": 42,
    "(42)": 42,
    "{42}": 42,
    r"\$42": 42,
    "-$42": -42,
    "42 apples": 42,
    r"42\text{ cm}^2": 42,
    "42 km": 42,
    r"42^\circ": 42,
    "42°": 42,
    "3e-8": Fraction(3, 10**8),
    r"4.2 \times 10^{1}": 42,
    "4.2*10^1": 42,
    "10^{6}": 10**6,
    "1/2": Fraction(1, 2),
    "-1/2": Fraction(-1, 2),
    r"\frac12": Fraction(1, 2),
    r"-\dfrac{1}{2}": Fraction(-1, 2),
    r"\frac{-1}{2}": Fraction(-1, 2),
    r"3\frac{1}{2}": Fraction(7, 2),
    "3 1/2": Fraction(7, 2),
}


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number(text: str) -> None:
    number = number_of(text)
    assert number is not None
    assert (number.value, number.reduced, number.percent) == (NUMBERS[text], True, False)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "x",
            "apples",
            "42 x",
            "6*7",
            "6(7)",
            "40+2",
            "2^{10}",
            r"\sqrt{4}",
            "|4|",
            "4!",
            "4 2",
            "42_41",
        ),
        *(
            r"42 \approx 41",
            "1/0",
            r"\frac{1}{0}",
            "4:2",
            "1,2",
            "42 million",
            "42 pi",
            r"42\text{ or }",
            "--1",
        ),
        *("1e9999", r"10^{9999}", "9" * 401, r"\text{about }42", "42 squared", r"\{42\}", "[42]"),
    ],
)
def test_no_number(text: str) -> None:
    assert number_of(text) is None


@pytest.mark.parametrize("text", ["84/2", "5/10", "42/1", r"\frac{6}{4}", "0/2", "3 4/2", "3 2/4"])
def test_a_fraction_that_can_be_shortened(text: str) -> None:
    number = number_of(text)
    assert number is not None
    assert not number.reduced


def same(answer: str, reference: str) -> bool:
    one, other = number_of(answer), number_of(reference)
    assert one is not None
    assert other is not None
    return same_number(one, other)


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("42.0", "42"),
        ("0.333333", "1/3"),
        (r"\frac{1}{2}", "0.5"),
        ("50%", r"50\%"),
        ("50", r"50\%"),
        ("0.5", r"50\%"),
        ("0.50000001", "0.5"),
        ("0", "0"),
        ("3.0e-8", r"3 \times 10^{-8}"),
    ],
)
def test_the_same(answer: str, reference: str) -> None:
    assert same(answer, reference)


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("41", "42"),
        ("0.33", "1/3"),
        ("0.0000008", "0.0000012"),
        ("1e-8", "3e-8"),
        ("0", "1e-30"),
        ("1e-30", "0"),
        ("100000001", "100000000"),
        ("42%", "42"),
        (r"4200\%", "42"),
        (r"50\%", "0.5"),
        ("5000%", "50%"),
        ("-42", "42"),
    ],
)
def test_not_the_same(answer: str, reference: str) -> None:
    assert not same(answer, reference)


@pytest.mark.parametrize("piece", ["a", " ", "a ", "9", "9,", "{", "(", "$", "\\", "%", "9 ", "-", "aaa "])
def test_it_is_soon_said(piece: str) -> None:
    begun = time.monotonic()
    for text in (piece * 100_000, (piece * 400)[:400], "1 " + (piece * 398)[:397] + "!"):
        number_of(text)
    assert time.monotonic() - begun < 1
