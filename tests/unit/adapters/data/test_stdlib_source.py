"""Real functions of the standard library as question and answer."""

from __future__ import annotations

import ast
import sys
from itertools import groupby
from pathlib import Path

import pytest

from cesello.adapters.data.stdlib_source import StdlibSource
from cesello.domain.errors import DataError
from cesello.domain.source import SourceRow

MODULES = ["textwrap", "json", "email.utils", "bisect", "statistics", "configparser"]


@pytest.fixture(scope="module")
def rows() -> list[SourceRow]:
    return list(StdlibSource("coding", MODULES).rows())


def code(row: SourceRow) -> str:
    text = str(row.values["response"])
    assert text.startswith("```python\n")
    assert text.endswith("\n```")
    return text.removeprefix("```python\n").removesuffix("```")


def test_every_answer_is_one_function_of_the_name_that_was_asked_for(rows: list[SourceRow]) -> None:
    assert len(rows) > 50
    for row in rows:
        [function] = ast.parse(code(row)).body
        assert isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)), row.place
        assert f"`{function.name}(" in str(row.values["instruction"])
        assert not function.name.startswith("_")


def test_the_documentation_asks_and_is_not_in_the_answer(rows: list[SourceRow]) -> None:
    by_name = {str(row.values["instruction"]): row for row in rows}
    [(question, row)] = [(asked, row) for asked, row in by_name.items() if "`dedent(text)`" in asked]
    assert "Remove any common leading whitespace from every line" in question
    assert "Remove any common leading whitespace" not in code(row)
    for row in rows:
        [function] = ast.parse(code(row)).body
        assert isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        assert ast.get_docstring(function) is None


def test_rows_come_by_module_and_then_by_line(rows: list[SourceRow]) -> None:
    files = [row.place.split(":")[0] for row in rows]
    modules = [file for index, file in enumerate(files) if file not in files[:index]]
    assert modules[0] == "textwrap.py"
    assert [file for file, _ in groupby(files)] == modules
    for file in set(files):
        numbers = [int(row.place.split(":")[1]) for row in rows if row.place.startswith(f"{file}:")]
        assert numbers == sorted(numbers)


def test_a_place_is_where_the_function_stands(rows: list[SourceRow]) -> None:
    import textwrap

    lines = Path(str(textwrap.__file__)).read_text(encoding="utf-8").splitlines()
    mine = [row for row in rows if row.place.startswith("textwrap.py:")]
    assert all(lines[int(row.place.split(":")[1]) - 1].lstrip().startswith("def ") for row in mine)


def test_the_same_rows_come_every_time(rows: list[SourceRow]) -> None:
    source = StdlibSource("coding", MODULES)
    assert list(source.rows()) == rows
    assert source.name == "coding"
    assert source.origin == f"standard library of Python {sys.version.split()[0]}"


@pytest.mark.parametrize("module", ["nothing", "json.nothing", "sys", ""])
def test_a_module_without_source_is_named(module: str) -> None:
    with pytest.raises(DataError) as caught:
        list(StdlibSource("coding", ["json", module]).rows())
    assert (caught.value.code, caught.value.where) == ("D001", 'source "coding"')
    assert f'"{module}"' in caught.value.what


@pytest.mark.parametrize("module", ["..", "...email", "/etc", "../x"])
def test_a_module_is_inside_the_library(module: str) -> None:
    with pytest.raises(DataError, match="D001"):
        list(StdlibSource("coding", [module]).rows())


def test_modules_without_documented_functions_are_empty() -> None:
    with pytest.raises(DataError, match=r'D002.*source "coding"'):
        list(StdlibSource("coding", ["this"]).rows())
