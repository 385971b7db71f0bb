"""Spans of a function: the lines that a question asks for, and no others."""

from __future__ import annotations

import ast

import pytest

from cesello.domain.python_facts import Span
from cesello.domain.python_reading import python_facts

OVEN = '''\
class Oven:
    @timed
    def bake(
        self, cake: Cake, *, heat: int = 180
    ) -> Cake:
        """Bakes a cake until it is done."""

        # What is cold
        # takes longer.
        extra = 0
        if cake.is_cold:
            extra = 5

        if heat > 300:
            raise TooHotError(f"{heat} degrees")
        for layer in cake:
            # noqa: this is said to a program
            layer.open()
            if layer.is_wet:
                # Wet layers are dried first.
                layer.dry()
                layer.close()
            elif layer.is_burnt:
                raise BurntError

        def later():
            raise TooHotError("of another function")

        return self.done(
            cake, extra
        )
'''


def spans(code: str, name: str = "") -> tuple[Span, ...]:
    found = python_facts(code, ast.parse(code)).functions
    return next(one for one in found if one.name == name or not name).spans


def test_lines_that_answer_a_question() -> None:
    assert spans(OVEN) == (
        Span("headed", "", "@timed\ndef bake(\n    self, cake: Cake, *, heat: int = 180\n) -> Cake:", 2, 5),
        Span("raised", "TooHotError", 'if heat > 300:\n    raise TooHotError(f"{heat} degrees")', 14, 15),
        Span("raised", "BurntError", "raise BurntError", 24, 24),
        Span(
            "commented",
            "What is cold takes longer.",
            "extra = 0\nif cake.is_cold:\n    extra = 5",
            10,
            12,
        ),
        Span("commented", "Wet layers are dried first.", "layer.dry()\nlayer.close()", 21, 22),
        Span("returned", "bake", "return self.done(\n    cake, extra\n)", 29, 31),
    )


@pytest.mark.parametrize(
    "body",
    [
        "    if a:\n        raise E('one')\n    raise E('two')\n",  # which of them?
        "    if a:\n        return a + 1\n    return a + 2\n",
        "    # The same is done here.\n    b()\n\n    # The same is done here.\n    c()\n",
        "    raise error\n",
        "    return a\n",
        "    return None\n",
        "    if a: return a + 1\n",
        "    if a: b()\n    else: raise E('no')\n",
        "    try:\n        b()\n    except X: raise Y('bad') from None\n",
        "    b(); raise E('x')\n",
        "    if a:\n        b(); raise E('one')\n    raise E('two')\n",  # the first is asked for too
        "    b(\n" + "        1,\n" * 9 + "    )\n",
        "    # The lines below are many.\n" + "    b()\n" * 9,
        "    x = 1  # It is set beside.\n",
        "    # What stands before a function.\n    def c():\n        pass\n",
        "    if a:\n        b()\n    # What stands before another case.\n    elif c:\n        d()\n",
    ],
)
def test_what_is_unclear_or_long_or_says_nothing_is_no_answer(body: str) -> None:
    assert spans(f"def f(a):\n{body}") == ()


@pytest.mark.parametrize("head", ["def f(a): ", "def f(\n    a,\n    b=1,\n): "])
def test_a_signature_that_shares_its_line_with_the_docstring(head: str) -> None:
    assert spans(f'{head}"""Says what it is for."""; x = 1\n') == ()


def test_a_comment_before_the_docstring_is_not_of_the_signature() -> None:
    [found] = spans(
        'def f(\n    a,  # first\n    # second\n    b,\n):\n    # noqa\n\n    """Says what it is for."""\n'
    )
    assert found.text == "def f(\n    a,  # first\n    # second\n    b,\n):"


def test_of_an_if_on_one_line_all_is_quoted() -> None:
    [found] = spans("def f(a):\n    if a: raise E('x')\n")
    assert found.text == "if a: raise E('x')"


def test_statements_on_one_line_are_quoted_to_their_end() -> None:
    [found] = spans("def f(a):\n    # Both are done here.\n    b(); c(\n        a)\n    d()\n")
    assert found.text == "b(); c(\n    a)\nd()"


@pytest.mark.parametrize(
    "text",
    [
        '"""\n        x\n      y\n"""',
        'f"""\n        x{a}\n    y\n    """',
        '"x\\\n        y"',
        "b'''\n        x\n    '''",
    ],
)
def test_a_text_of_several_lines_says_the_same(text: str) -> None:
    [found] = spans(f"def f(a):\n    # This is asked for.\n    c = g({text},\n        2)\n    d = 1\n")
    assert found.text == f"c = g({text},\n    2)\nd = 1"


def test_texts_one_after_the_other_move_with_the_code() -> None:
    [found] = spans("def f(a):\n    # This is asked for.\n    c = (\n        'x'\n        'y'\n    )\n")
    assert found.text == "c = (\n    'x'\n    'y'\n)"
