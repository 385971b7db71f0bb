"""Which answers are given to scorers that evaluate them."""

from __future__ import annotations

from typing import Any

import pytest

from cesello.domain.reasoning_answer import answer_of, refused

NUMBERS = {"answer": "8*(5*1 - 2)", "metadata": {"numbers": [8, 5, 1, 2]}}
FORMULA = {"answer": "x**2/2 + C", "metadata": {"variable": "x"}}
MATRIX = {"answer": "0 1\n1 0"}
BOARD = {"answer": "Q _\n_ Q"}
LETTERS = {"answer": "ABC"}
ENTRIES: dict[str, dict[str, Any]] = {
    "countdown": NUMBERS,
    "puzzle24": NUMBERS,
    "simple_integration": FORMULA,
    "intermediate_integration": FORMULA,
    "polynomial_multiplication": {"answer": "x**2 - 1"},
    "spiral_matrix": MATRIX,
    "binary_matrix": MATRIX,
    "n_queens": BOARD,
    "string_insertion": LETTERS,
}
ATTACKS = [
    "__import__('os').system('id')",
    "exec(chr(97) + chr(98))",
    "eval(chr(49))",
    "open(0)",
    "exit(0)",
    "quit()",
    "().__class__.__base__.__subclasses__()",
    "[x for x in (1).__class__.mro()]",
    "(lambda: 1)()",
    "globals()",
    "breakpoint()",
    "print(1)",
    "f'{1}'",
    "S.x",
    "N(1)",
    "x.diff",
    "integrate(x, x)",
    "Integral(x, x)",
    "expand((x - 1)*(x + 1))",
    "1 if 1 else 0",
    "1 # 8 5 1 2",
    "1;2",
    "1\\\n2",
    "a = 1",
    "ⅰmport",
    "\x00",
    "\ud800",
    "9_9",
    "0x10",
    "1e9",
]


@pytest.mark.parametrize("task", ENTRIES)
@pytest.mark.parametrize("attack", ATTACKS)
def test_text_that_would_run_is_refused(task: str, attack: str) -> None:
    assert refused(task, attack, ENTRIES[task]) == "answer_not_of_the_task"


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        ("countdown", "8*(5*1 - 2)"),
        ("countdown", "(5 - 2) * 8 * 1"),
        ("puzzle24", "8*(5-2)*1"),
        ("simple_integration", "0.5*x**2 + C"),
        ("intermediate_integration", "-cos(x)*exp(2*x)/3 + sqrt (x) + pi"),
        ("polynomial_multiplication", "x**2 - 1"),
        ("spiral_matrix", "[1, 2, -3]"),
        ("binary_matrix", "[[0, 1], [1, 0]]"),
        ("n_queens", "[['Q', '_'], ['_', 'Q']]"),
        ("string_insertion", "['A', \"B\"]"),
        ("chain_sum", "anything at all()"),
        ("word_ladder", "NAN,MAN"),
    ],
)
def test_an_answer_of_the_task_is_scored(task: str, answer: str) -> None:
    entry = ENTRIES.get(task, {"answer": "RAN,MAN"})
    assert refused(task, answer, entry) is None


@pytest.mark.parametrize(
    "answer", ["8*3", "6*4*1*1", "8*5*1*2*1", "24", "24 + 0*8*5*1*2", "8**5-1-2", "8//5-1-2"]
)
def test_a_sum_uses_the_numbers_given_and_four_operations(answer: str) -> None:
    assert refused("puzzle24", answer, NUMBERS) == "answer_not_of_the_task"


@pytest.mark.parametrize("answer", ["NaN", "[NaN, NaN]", "nan + 1i", "-inf", "Infinity"])
def test_what_equals_anything_is_no_number(answer: str) -> None:
    assert refused("number_sorting", answer, {"answer": "[1, 2]"}) == "not_a_number"


def test_true_or_false_is_the_one_or_the_other() -> None:
    assert refused("game_of_life_halting", "True", {"answer": "True"}) is None
    for wrong in ("False", "no idea", "True False"):
        assert refused("game_of_life_halting", wrong, {"answer": "True"}) == "answer_not_of_the_task"


def test_nothing_and_too_much_are_refused() -> None:
    assert refused("chain_sum", "", {"answer": "1"}) == "no_answer"
    assert refused("chain_sum", "1" * 20_001, {"answer": "1"}) == "answer_too_long"


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("42", "42"),
        ("<answer> 42\n</answer>", "42"),
        ("<answer>1</answer> no, <answer>2</answer>.", "2"),
        ("<think><answer>1</think> 2 ", "2"),
        ("</answer>42", "</answer>42"),
        ("<answer>42", "<answer>42"),
        ("", ""),
    ],
)
def test_where_the_answer_is(completion: str, answer: str) -> None:
    assert answer_of(completion) == answer
