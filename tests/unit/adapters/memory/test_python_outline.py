from __future__ import annotations

import sysconfig
from dataclasses import replace
from pathlib import Path

import pytest

from cesello.adapters.memory import treesitter_chunker
from cesello.adapters.memory.python_outline import python_outline
from cesello.adapters.memory.treesitter_chunker import TreeSitterChunker
from cesello.adapters.memory.treesitter_languages import GRAMMARS
from cesello.domain.document import SourceFile


def outlined(code: str, maximum: int = 900) -> str:
    return python_outline(code.encode(), maximum).decode()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_body_gives_way_to_a_statement_of_its_length(end: str) -> None:
    code = end.join(["def f(a):", "    x = [a,", "  1]", "    return x + 1", "", "", "y = 2", ""])
    outline = outlined(code)
    assert len(outline) == len(code)
    assert outline.startswith(f"def f(a):{end}    00000")
    assert outline.endswith(f"000{end}{end}{end}y = 2{end}")


@pytest.mark.parametrize(
    "docstring",
    ['"""Does."""', "'''Does.\n\n    It.\n    '''", 'r"Does."', '"""A "quote" and \\""""', "'Does.'"],
)
def test_the_docstring_stays(docstring: str) -> None:
    head = f"async def f(\n    a: int,\n) -> None:\n    {docstring}\n    "
    outline = outlined(head + "return a + a + a + a + a\n")
    assert outline.startswith(f"{head}00000")


@pytest.mark.parametrize(
    "code",
    [
        "def f():\n    return 1\n",  # too little
        "def f():\n    # comment\n    '''Does.'''\n    return a + a + a + a + a\n",
        "def f():\n    'Does.'; x = a + a + a + a + a + a\n",
        "def f():\n    return a + a + a + a + a + a  # comment\n",
        "def f():\n    return a + a + a + a + a + a\n# comment\n    return b\n",
        "def f():\n    of a string\n    '''\n    return a + a + a + a\n    '''\n    another\n",
        "def f():\n    return '''a + a + a + a + a + a\nthe same string'''\n",
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
    assert outline.startswith(large + "def g():\n    00000")


def test_comments_below_the_body_stay_outside() -> None:
    code = "def f():\n    return a + a + a + a + a + a\n    # comment\n\n    # comment\n"
    assert outlined(code).endswith("00\n    # comment\n\n    # comment\n")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "statement",
    [
        ["if a:", "    b = 1", "elif c:", "    d = (2,", "  3)", "# else", "else:", "    pass"],
        ["for a in b:", "", "    c = 'for x: y'", "else:", "    d"],
        ["try:", "    with a as b:", "        c()", "except D:", "    pass", "finally:", "    e()"],
        ["while a:", "    # comment", "    def f():", "        return a"],
    ],
)
def test_a_statement_with_its_clauses_gives_way_to_one_of_its_length(statement: list[str], end: str) -> None:
    large = ["def f():", *["    x = 1"] * 30]
    code = end.join([*large, *(f"    {line}" for line in statement), "", "    # comment", "    y = 2", ""])
    outline = outlined(code, 150)
    assert len(outline) == len(code)
    before = end.join([*large, ""])
    assert outline.startswith(f"{before}    00000")
    assert outline.endswith(f"000{end}{end}    # comment{end}    y = 2{end}")


@pytest.mark.parametrize(
    "statement",
    [
        "if a: b = c + c + c + c\n",
        "if a:\n    b = c + c + c + c  # comment\n",
        "if a:\n    b = c + c + c + c\n    # comment\n",
        "if a:\n    b = c + c + c + c\n# comment\n    d = e\n",
        'if a:\n    b = """c\nd"""\n',
        # In the middle of a string, over its end, to where another one begins.
        'if a:\n    b\n    """\n    c = d + e + f + g + h\n    """\n    i\n',
        "for a in b\n",
        "if a:\n" + "    b = 1\n" * 20,
        "iffy:\n    b = c + c + c + c\n",
        "  if a:\n    b = c + c + c + c\n" + "    b = 1\n" * 20,
    ],
)
def test_a_statement_that_goes_on_ends_in_a_comment_or_does_not_fit_is_left_alone(statement: str) -> None:
    code = f"x = 1\n{statement}y = 2\n"
    assert outlined(code, 150) == code


def test_inside_a_statement_that_does_not_fit_those_that_do_give_way() -> None:
    inner = "    if b:\n        c = d + d + d + d\n"
    code = "x = 1\nif a:\n" + inner * 9
    assert outlined(code, 150).count("    00000") == 9


@pytest.mark.parametrize("maximum", [150, 900])
def test_the_standard_library_has_the_same_chunks_without_it(
    maximum: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("[a-z]*.py"))[::3]
    sources = [SourceFile(file.name, file.read_bytes()) for file in files]
    assert len(sources) > 40
    assert any(python_outline(source.content, maximum) != source.content for source in sources)
    outlined_chunks = [TreeSitterChunker(maximum).chunk(source) for source in sources]
    plain = {**GRAMMARS, "python": replace(GRAMMARS["python"], outline=None)}
    monkeypatch.setattr(treesitter_chunker, "GRAMMARS", plain)
    assert [TreeSitterChunker(maximum).chunk(source) for source in sources] == outlined_chunks
