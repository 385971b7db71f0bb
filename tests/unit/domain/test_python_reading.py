"""What is read from the syntax of a Python file."""

from __future__ import annotations

import ast

import pytest

from cesello.domain.python_facts import FunctionFacts, Import, Parameter, PythonFacts, Raised
from cesello.domain.python_reading import python_facts

CODE = '''\
import re
import os.path as op
from .near import thing

LIMIT = 40
TWICE = 1
TWICE = 2


@once
def find(texts: list[str], *rest: int, at: float = 0.8, **more) -> dict[str, int]:
    """Finds texts.

    And says where.
    """
    if not texts:
        raise ValueError("none")
    for text in texts:
        if len(text) > LIMIT:
            raise op.error(text)
    return {text: re.search("a", text) for text in texts}


class Store(Base[int], metaclass=Meta):
    """Keeps."""

    size: int = 3
    name: str

    def __init__(self, size: int = 3) -> None:
        self.size = size

    @staticmethod
    def load(path: str) -> "Store":
        def inner():
            raise KeyError

        return Store(int(path))


if TYPE_CHECKING:
    def find_it(): ...
'''


def facts(code: str = CODE) -> PythonFacts:
    return python_facts(code, ast.parse(code))


def function(name: str) -> FunctionFacts:
    return next(one for one in facts().functions if one.name == name)


def test_a_function() -> None:
    found = function("find")
    assert found.called == "find"
    assert found.signature == ("find(texts: list[str], *rest: int, at: float=0.8, **more) -> dict[str, int]")
    assert found.parameters == (
        Parameter("texts", "list[str]"),
        Parameter("*rest", "int"),
        Parameter("at", "float", "0.8"),
        Parameter("**more"),
    )
    assert found.returns == "dict[str, int]"
    assert found.raised == (
        Raised("ValueError", "not texts"),
        Raised("op.error", "len(text) > LIMIT"),
    )
    assert found.docstring == "Finds texts.\n\nAnd says where."
    assert (found.first, found.last) == (10, 21)
    assert found.needs == {
        "once",
        "ValueError",
        "len",
        "LIMIT",
        "op",
        "re",
        "dict",
        "list",
        "str",
        "int",
        "float",
    }


def test_its_code_has_lost_the_docstring_alone() -> None:
    code = function("find").code
    assert code.splitlines()[:3] == ["@once", CODE.splitlines()[10], "    if not texts:"]
    assert "Finds" not in code
    ast.parse(code)


def test_a_method_has_an_owner_and_no_self() -> None:
    made, load = function("__init__"), function("load")
    assert (made.called, made.parameters) == ("Store.__init__", (Parameter("size", "int", "3"),))
    assert load.parameters == (Parameter("path", "str"),)
    assert load.raised == ()  # that of the function in it is not its own
    assert load.code.startswith("@staticmethod\ndef load")


def test_classes_constants_and_imports() -> None:
    [store] = facts().classes
    assert (store.name, store.bases, store.docstring) == ("Store", ("Base[int]",), "Keeps.")
    assert store.fields == (Parameter("size", "int", "3"), Parameter("name", "str"))
    assert [(one.name, one.value) for one in facts().constants] == [("LIMIT", "40")]
    assert facts().imports == (
        Import("import re", "re", frozenset({"re"})),
        Import("import os.path as op", "os", frozenset({"op"})),
        Import("from .near import thing", "", frozenset({"thing"})),
    )
    assert [name for name, _, _ in facts().top_level()] == ["find", "find_it", "Store", "LIMIT"]


def test_spots_are_statements_of_functions() -> None:
    lines = CODE.splitlines()
    spots = facts().spots
    assert all(not lines[first - 1].strip().startswith(('"""', "@", "class")) for first, _ in spots)
    assert (18, 20) in spots


@pytest.mark.parametrize("code", ['def f(): "Said."', 'def f():\n    "Said."', 'def f():\n    "a"; x = 1\n'])
def test_lines_that_cannot_be_told_apart_give_no_code(code: str) -> None:
    assert facts(code).functions[0].code == ""


def test_line_ends_of_windows() -> None:
    code = CODE.replace("\n", "\r\n")
    found = python_facts(code, ast.parse(code)).functions[0]
    assert "\r" not in found.code
    assert "Finds" not in found.code
