from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cesello.domain.chunking import Block, Definition, cut
from cesello.domain.document import Chunk, SourceFile

LINE_END = re.compile(r"\r\n|\r|\n")


def cut_text(text: str, blocks: Sequence[Block] = (), maximum: int = 40) -> tuple[Chunk, ...]:
    source = SourceFile("a.py", text.encode())
    return cut(source, text, "utf-8", blocks=blocks, maximum=maximum, language="python")


def block(
    text: str, part: str, *inside: Block, definition: Definition | None = None, leads: bool = False
) -> Block:
    start = text.index(part)
    return Block(start, start + len(part), definition, leads, (lambda: inside) if inside else None)


def function(name: str, kind: str = "function") -> Definition:
    return Definition(kind, name, f"def {name}():", f"About {name}.")


@st.composite
def trees(draw: st.DrawFn) -> tuple[str, list[Block]]:
    """A text and a tree over it, every block that has blocks inside can be opened."""
    text = draw(st.text(st.sampled_from("ab  \n\n\r(é🙂"), max_size=120))

    def blocks(start: int, end: int, depth: int) -> list[Block]:
        if depth == 4 or start == end:
            return []
        borders = sorted(draw(st.lists(st.integers(start, end), max_size=8)))
        return [one(a, b, depth) for a, b in zip(borders[::2], borders[1::2], strict=False)]

    def one(start: int, end: int, depth: int) -> Block:
        inside = blocks(start, end, depth + 1)
        definition = function(f"f{start}") if draw(st.booleans()) else None
        return Block(start, end, definition, draw(st.booleans()), (lambda: inside) if inside else None)

    return text, blocks(0, len(text), 0)


def kept_whole(blocks: Sequence[Block], maximum: int) -> list[Block]:
    """The definitions that fit."""
    found = []
    for one in blocks:
        if one.definition and 0 < one.end - one.start <= maximum:
            found.append(one)
        found += kept_whole(one.opened() if one.opened else (), maximum)
    return found


@settings(max_examples=400)
@given(trees(), st.integers(2, 40))
def test_chunks_are_the_file_and_no_definition_that_fits_is_cut(
    tree: tuple[str, list[Block]], maximum: int
) -> None:
    text, blocks = tree
    chunks = cut_text(text, blocks, maximum)
    content = text.encode()
    assert "".join(chunk.text for chunk in chunks) == text
    assert [chunk.start for chunk in chunks] == [0, *(chunk.end for chunk in chunks)][: len(chunks)]
    assert all(content[chunk.start : chunk.end].decode() == chunk.text for chunk in chunks)
    assert all(0 < len(chunk.text) <= maximum for chunk in chunks)
    ends = [0]
    for chunk in chunks:
        ends.append(ends[-1] + len(chunk.text))
        first, last = ends[-2], ends[-1] - 1
        assert chunk.start_line == 1 + sum(match.end() <= first for match in LINE_END.finditer(text))
        assert chunk.end_line == 1 + sum(match.end() <= last for match in LINE_END.finditer(text))
    for one in kept_whole(blocks, maximum):
        assert not any(one.start < end < one.end for end in ends)


def test_an_empty_text_has_no_chunks() -> None:
    assert cut_text("") == ()


def test_without_syntax_lines_stay_whole() -> None:
    text = "".join(f"line {number} of the text\n" for number in range(9))
    chunks = cut_text(text, maximum=50)
    assert [chunk.text.count("\n") for chunk in chunks] == [2, 2, 2, 2, 1]
    assert {(chunk.kind, chunk.name) for chunk in chunks} == {("text", "")}


def test_a_line_above_the_maximum_is_cut_but_not_its_line_end() -> None:
    chunks = cut_text("x" * 9 + "\r\n" + "y" * 9, maximum=10)
    assert [chunk.text for chunk in chunks] == ["x" * 9, "\r\n", "y" * 9]


def test_a_definition_brings_its_name_and_description() -> None:
    text = "def f():\n    pass\n"
    (chunk,) = cut_text(text, [block(text, text[:-1], definition=function("f"))])
    assert (chunk.kind, chunk.name, chunk.description, chunk.header) == ("function", "f", "About f.", "")


def test_small_neighbours_are_joined_and_both_named() -> None:
    text = "def f(): 1\n\nclass A: 2\n"
    blocks = [
        block(text, "def f(): 1", definition=function("f")),
        block(text, "class A: 2", definition=function("A", "class")),
    ]
    (chunk,) = cut_text(text, blocks, maximum=400)
    assert (chunk.kind, chunk.name, chunk.description) == ("module", "f, A", "")


def test_larger_neighbours_stay_apart_even_if_both_would_fit() -> None:
    one, two = (f"def {name}():\n" + f"    {name} = 1\n" * 4 for name in "fg")
    text = one + two
    blocks = [block(text, one, definition=function("f")), block(text, two, definition=function("g"))]
    assert [chunk.name for chunk in cut_text(text, blocks, maximum=len(text))] == ["f", "g"]


def test_every_later_part_of_a_definition_knows_its_signature() -> None:
    text = "def f():\n" + "".join(f"    statement_{number} = {number}\n" for number in range(4))
    statements = [block(text, f"statement_{number} = {number}") for number in range(4)]
    whole = block(text, text[:-1], block(text, "f()"), *statements, definition=function("f"))
    chunks = cut_text(text, [whole])
    assert [chunk.header for chunk in chunks] == ["", "def f():", "def f():"]
    assert {(chunk.name, chunk.description) for chunk in chunks} == {("f", "About f.")}
    assert all(chunk.text.endswith("\n") for chunk in chunks)


@pytest.mark.parametrize(
    ("between", "together"), [("# about f\n@decorated\n", True), ("# about f\n\n", False)]
)
def test_what_leads_stays_with_the_definition_below_unless_a_blank_line_is_between(
    between: str, together: bool
) -> None:
    body = "def f():\n    return 1234\n"
    text = "x = 1; y = 2; z = 3\n" + between + body
    leads = [block(text, line, leads=True) for line in between.split("\n") if line]
    blocks = [block(text, "x = 1; y = 2; z = 3"), *leads, block(text, body[:-1], definition=function("f"))]
    last = cut_text(text, blocks, maximum=48)[-1]
    assert last.text == (between + body if together else body)


def test_a_comment_on_the_line_of_a_statement_stays_there() -> None:
    body = "def f():\n    return 1234\n"
    text = "x = 1  # about x\n" + body
    blocks = [
        block(text, "x = 1"),
        block(text, "# about x", leads=True),
        block(text, body[:-1], definition=function("f")),
    ]
    assert [chunk.text for chunk in cut_text(text, blocks, maximum=30)] == ["x = 1  # about x\n", body]


def test_ten_thousand_levels_are_walked_without_recursion() -> None:
    text = "+a" * 10_000

    def nested(end: int) -> Block:
        return Block(0, end, opened=lambda: [nested(end - 2), Block(end - 2, end)])

    chunks = cut_text(text, [nested(len(text))])
    assert "".join(chunk.text for chunk in chunks) == text
