from __future__ import annotations

import pytest

from cesello.adapters.memory.python_outline import python_outline


def outlined(code: str, maximum: int = 900) -> str:
    return python_outline(code.encode(), maximum).decode()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_body_gives_way_to_a_statement_of_its_length(end: str) -> None:
    code = end.join(["def f(a):", "    x = [a,", "  1]", "    return x + 1", "", "", "y = 2", ""])
    outline = outlined(code)
    assert len(outline) == len(code)
    assert outline.startswith(f"def f(a):{end}    0,'xxx")
    assert outline.endswith(f"xxx'{end}{end}{end}y = 2{end}")


@pytest.mark.parametrize(
    "docstring",
    ['"""Does."""', "'''Does.\n\n    It.\n    '''", 'r"Does."', '"""A "quote" and \\""""', "'Does.'"],
)
def test_the_docstring_stays(docstring: str) -> None:
    head = f"async def f(\n    a: int,\n) -> None:\n    {docstring}\n    "
    outline = outlined(head + "return a + a + a + a + a\n")
    assert outline.startswith(f"{head}0,'xxx")


@pytest.mark.parametrize(
    "code",
    [
        "def f():\n    return 1\n",  # too little
        "def f():\n    # comment\n    '''Does.'''\n    return a + a + a + a + a\n",
        "def f():\n    'Does.'; x = a + a + a + a + a + a\n",
        "def f():\n    return a + a + a + a + a + a  # comment\n",
        "def f():\n    return a + a + a + a + a + a\n# comment\n    return b\n",
        "class A:\n    x = a + a + a + a + a + a + a + a\n",
        "def f(): return a + a + a + a + a + a + a + a\n",
    ],
)
def test_what_counts_is_left_alone(code: str) -> None:
    assert outlined(code) == code


def test_a_function_that_does_not_fit_is_left_alone_but_those_beside_it_are_not() -> None:
    large = "def f():\n" + "    x = 1\n" * 20
    small = "def g():\n" + "    x = 1\n" * 5
    outline = outlined(large + small, 100)
    assert outline.startswith(large + "def g():\n    0,'xxx")


def test_comments_below_the_body_stay_outside() -> None:
    code = "def f():\n    return a + a + a + a + a + a\n    # comment\n\n    # comment\n"
    assert outlined(code).endswith("xx'\n    # comment\n\n    # comment\n")
