"""Which answers to tasks of ``reasoning-gym`` may be given to the package's own scorers.

Read in version 0.1.25: nine scorers evaluate the answer, so that text a model wrote would run as code in the
process that decides its score. Others can be cheated: a NaN is equal to everything or sorted anywhere, one
takes any text for "True", one does not look which numbers were used. What is refused here never gets there.

An answer is refused by what it may consist of, not by what it may not: every piece of it must be known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

LONGEST = 20_000

_SUM = re.compile(r"\d+|(?<!\*)\*(?!\*)|(?<!/)/(?!/)|[-+() ]")
_FORMULA = re.compile(r"\d+\.\d+(?!\w)|\d+(?![\w.])|[A-Za-z]+|\*\*|[-+*/^() ]")
_LETTERS = re.compile(r"[A-Za-z]+")
_CALLED = re.compile(r"([A-Za-z]+) *\(")
_CIRCULAR = ("sin", "cos", "tan", "sec", "csc", "cot", "asin", "acos", "atan")
_FUNCTIONS = frozenset(
    {*_CIRCULAR, "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "exp", "log", "ln", "sqrt", "Abs"}
)
_MATRIX = re.compile(r"[-\d\s,\[\]]*")
_BOARD = re.compile(r"[Q_\s,\[\]'\"]*")
_LETTER_LIST = re.compile(r"[A-E\s,\[\]'\"]*")
_NO_NUMBER = re.compile(r"\b(?:nan|inf|infinity)\b", re.IGNORECASE)


def answer_of(completion: str) -> str:
    """What stands in the last ``<answer>`` tags, or else what follows the thinking, or else all."""
    end = completion.rfind("</answer>")
    start = completion.rfind("<answer>", 0, max(end, 0))
    if start >= 0:
        return completion[start + len("<answer>") : end].strip()
    return completion.rpartition("</think>")[2].strip()


def refused(task: str, answer: str, entry: Mapping[str, Any]) -> str | None:
    """Why an answer is not scored, as a reason code; None where it may be."""
    if not answer:
        return "no_answer"
    if len(answer) > LONGEST:
        return "answer_too_long"
    expected = entry.get("answer")
    if answer == expected:
        return None
    if _NO_NUMBER.search(answer) and isinstance(expected, str) and re.search(r"\d", expected):
        return "not_a_number"
    allowed = _ALLOWED.get(task)
    return None if allowed is None or allowed(answer, entry) else "answer_not_of_the_task"


def _is_sum(answer: str, entry: Mapping[str, Any]) -> bool:
    """The four operations on whole numbers: the ones given, each once."""
    if _SUM.sub("", answer):
        return False
    given = (entry.get("metadata") or {}).get("numbers")
    used = sorted(map(int, re.findall(r"\d{1,15}", answer)))
    return isinstance(given, list) and used == sorted(one for one in given if isinstance(one, int))


def _is_formula(answer: str, entry: Mapping[str, Any]) -> bool:
    """Arithmetic on one-letter names; of longer names the elementary functions alone, no ``integrate``."""
    if _FORMULA.sub("", answer):
        return False
    named = all(len(word) == 1 or word in _FUNCTIONS | {"pi"} for word in _LETTERS.findall(answer))
    return named and all(name in _FUNCTIONS for name in _CALLED.findall(answer))


def _is_polynomial(answer: str, entry: Mapping[str, Any]) -> bool:
    return _is_formula(answer, entry) and all(len(word) == 1 for word in _LETTERS.findall(answer))


def _consists_of(pattern: re.Pattern[str]) -> Callable[[str, Mapping[str, Any]], bool]:
    return lambda answer, entry: pattern.fullmatch(answer) is not None


def _is_the_answer(answer: str, entry: Mapping[str, Any]) -> bool:
    return answer == entry.get("answer")


_ALLOWED: Mapping[str, Callable[[str, Mapping[str, Any]], bool]] = {
    "countdown": _is_sum,
    "puzzle24": _is_sum,
    "simple_integration": _is_formula,
    "intermediate_integration": _is_formula,
    "polynomial_multiplication": _is_polynomial,
    "spiral_matrix": _consists_of(_MATRIX),
    "binary_matrix": _consists_of(_MATRIX),
    "n_queens": _consists_of(_BOARD),
    "string_insertion": _consists_of(_LETTER_LIST),
    "game_of_life_halting": _is_the_answer,
}
