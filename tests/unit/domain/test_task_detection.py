"""What a row asks for."""

from __future__ import annotations

from typing import Any

import pytest

from cesello.domain.conversation import Conversation, Message, Role, ToolSpec, user
from cesello.domain.task_detection import asked_name, asks_for_code, task_of

NAMES = {
    "Write a Python function `double` that doubles.": "double",
    "Write a function called double.": "double",
    "Write a function named double": "double",
    "Implement the class `Stack`.": "Stack",
    "Write the function double(x).": "double",
    "Write `double(x)` for me.": "double",
    "Scrivi una funzione chiamata doppio.": "doppio",
    "def helper(x):\n    return x\n\ndef double(x):\n": "double",
    "class Stack:\n    def push(self, x):\n": "Stack",
    "    def push(self):\n": "push",
    "Write a function that doubles.": None,
    "Write a function to add two numbers (quickly).": None,
    "hello": None,
}


@pytest.mark.parametrize("question", NAMES)
def test_the_name_that_is_asked_for(question: str) -> None:
    assert asked_name(question) == NAMES[question]


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ("Write a python function that adds.", True),
        ("Please implement quicksort as a method", True),
        ("Scrivi una funzione che somma.", True),
        ("def f(x):\n", True),
        ("What is a function?", False),
        ("Write a poem.", False),
        ("hello", False),
    ],
)
def test_whether_a_program_is_asked_for(question: str, code: bool) -> None:
    assert asks_for_code(question) is code


@pytest.mark.parametrize(
    ("reference", "task"),
    [
        ({"task": "mine", "tests": "assert 1"}, ("mine", True)),
        ({"calls": []}, ("function_calling", False)),
        ({"tests": "assert 1", "answer": "1"}, ("coding", False)),
        ({"reasoning_gym": {}}, ("reasoning_gym", False)),
        ({"answer": "1"}, ("math", False)),
        ({"answers": ["a.py"], "answer": "1"}, ("answer", False)),
        ({"task": 3}, ("chat", False)),
        ({}, ("chat", False)),
    ],
)
def test_the_task_by_the_reference(reference: dict[str, Any], task: tuple[str, bool]) -> None:
    assert task_of(Conversation((Message(Role.USER, "Go on."),), reference=reference)) == task


def test_a_python_function_is_coding_and_never_function_calling() -> None:
    question = "Write a python function to get the weather, call it get_weather."
    assert task_of(user(question)) == ("coding", False)
    tool = ToolSpec("get_weather", "", {})
    assert task_of(Conversation((Message(Role.USER, question),), (tool,))) == ("coding", False)
