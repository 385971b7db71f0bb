from __future__ import annotations

from typing import Any

import pytest

from cesello.domain import code_tests
from cesello.domain.code_tests import Case, CodeTests, Exchange

ASSERT = "assert add(1, 2) == 3"


@pytest.mark.parametrize(
    ("reference", "tests"),
    [
        ({"tests": ASSERT}, CodeTests(code=ASSERT)),
        ({"tests": [ASSERT, "assert add(0, 0) == 0"]}, CodeTests(code=f"{ASSERT}\nassert add(0, 0) == 0")),
        (
            {"tests": ASSERT, "entry_point": "add", "setup": "import math"},
            CodeTests(code=ASSERT, setup="import math", entry_point="add"),
        ),
        (
            {"tests": [{"args": [1, 2], "expected": 3}], "entry_point": "add"},
            CodeTests(entry_point="add", cases=(Case((1, 2), 3),)),
        ),
        (
            {"tests": [{"input": "1 2", "output": "3"}]},
            CodeTests(exchanges=(Exchange("1 2", "3"),)),
        ),
        (
            {"tests": '[{"input": "1 2", "output": "3"}]'},
            CodeTests(exchanges=(Exchange("1 2", "3"),)),
        ),
        (
            {"tests": '{"inputs": ["1 2"], "outputs": ["3"]}'},
            CodeTests(exchanges=(Exchange("1 2", "3"),)),
        ),
    ],
)
def test_every_form_of_tests_is_read(reference: dict[str, Any], tests: CodeTests) -> None:
    assert code_tests.tests_of(reference) == tests


@pytest.mark.parametrize("reference", [{}, {"tests": None}, {"tests": ""}, {"tests": []}])
def test_a_row_without_tests_has_none(reference: dict[str, Any]) -> None:
    assert code_tests.tests_of(reference) is None


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ({"tests": 7}, "int"),
        ({"tests": "assert ("}, "not Python"),
        ({"tests": ASSERT, "setup": "if"}, "not Python"),
        ({"tests": ASSERT, "setup": 1}, "setup"),
        ({"tests": ASSERT, "entry_point": "a b"}, "entry_point"),
        ({"tests": [{"args": [1], "expected": 1}]}, "entry_point"),
        ({"tests": [{"args": "12", "expected": 1}], "entry_point": "f"}, "list"),
        ({"tests": [{"input": 1, "output": "1"}]}, "text"),
        ({"tests": [{"input": "1"}]}, "tests are"),
        ({"tests": [ASSERT, {"input": "", "output": ""}]}, "tests are"),
        ({"tests": "x = " + "(" * 10_000}, "not Python"),
    ],
)
def test_malformed_tests_are_named(reference: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        code_tests.tests_of(reference)
