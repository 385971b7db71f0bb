"""Examples in docstrings become tests where they are plain."""

from __future__ import annotations

import pytest

from cesello.domain.doctest_cases import tests_of_docstring as asserted


@pytest.mark.parametrize(
    ("docstring", "tests"),
    [
        (">>> f(1)\n2", "assert (f(1)) == 2"),
        ("Says.\n\n>>> x = [1]\n>>> f(x)\n{'a': 1}\n", "x = [1]\nassert (f(x)) == {'a': 1}"),
        (">>> f('a')\n'b'\n>>> f(2)\n3", "assert (f('a')) == 'b'\nassert (f(2)) == 3"),
        (">>> f(1)  # once\n2", "assert (f(1)) == 2"),
        (">>> f(\n...     1,\n... )\n2", "assert (f(1)) == 2"),
        (">>> from pack.near import f\n>>> f(1)\n2", "assert (f(1)) == 2"),
        (">>> import math\n>>> f(math.pi)\n2", "import math\nassert (f(math.pi)) == 2"),
        (">>> from pack.near import f, g\n>>> f(1)\n2", ""),
        (">>> import numpy\n>>> f(1)\n2", ""),
        (">>> from . import x\n>>> f(1)\n2", ""),
        (">>> f(nx.graph())\n2", ""),
        (">>> [f(x) for x in (1, 2)]\n[1, 2]", "assert ([f(x) for x in (1, 2)]) == [1, 2]"),
        ("No examples.", ""),
        (">>> x = 1", ""),
        (">>> f(1)\n<object at 0x1>", ""),
        (">>> print(1)\n1 2", ""),
        (">>> f(1)  # doctest: +ELLIPSIS\n'a...'", ""),
        (">>> f(0)\nTraceback (most recent call last):\nValueError: no", ""),
        (">>> f(1)\n2\n>>> g(\n3", ""),
        (">>>f(1)\n2", ""),
    ],
)
def test_tests_of_a_docstring(docstring: str, tests: str) -> None:
    assert asserted(docstring, "f") == tests
