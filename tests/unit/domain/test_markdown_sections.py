from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.chunking import Block, cut
from cesello.domain.document import Chunk, SourceFile
from cesello.domain.markdown_sections import headings, markdown_blocks


def chunks(text: str, maximum: int) -> tuple[Chunk, ...]:
    source = SourceFile("a.md", text.encode())
    return cut(source, text, "utf-8", blocks=markdown_blocks(text), maximum=maximum, language="markdown")


def every(blocks: Sequence[Block]) -> Iterator[Block]:
    for block in blocks:
        yield block
        yield from every(block.opened() if block.opened else ())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# A\n## B ##\n###### C\n", [(1, "A"), (2, "B"), (6, "C")]),
        ("   # A\n    # code\n\t# code\n", [(1, "A")]),
        ("#A\n####### seven\n#\n", [(1, "")]),
        ("# C# and F#\n", [(1, "C# and F#")]),
        ("A\n===\nB\nC\n---\n", [(1, "A"), (2, "B C")]),
        ("text\n\n---\n- item\n---\n| a |\n---\n", []),
        ("```\n# A\n```\n# B\n", [(1, "B")]),
        ("````md\n```\n# A\n```\n````\n# B\n", [(1, "B")]),
        ("~~~\n# A\n```\n", []),
        ("- item\n  ```sh\n  # A\n  ```\n# B", [(1, "B")]),
        ("---\n# a comment\ntitle: A\n---\n# B\n", [(1, "B")]),
        ("---\n# A\n", [(1, "A")]),
        ("# A\r\n\r\ntext\r\n\r\n# B\r\n", [(1, "A"), (1, "B")]),
        ("# A\r# B\r", [(1, "A"), (1, "B")]),
    ],
)
def test_headings(text: str, found: list[tuple[int, str]]) -> None:
    assert list(headings(text)) == found


def test_the_path_of_headings_is_the_name() -> None:
    text = "before\n\n# A\n\none\n\n### C\n\ntwo\n\n## B\n\nthree\n\n# D\n\nfour\n"
    assert [(chunk.name, chunk.kind) for chunk in chunks(text, 12)] == [
        ("", "module"),
        ("A", "section"),
        ("A > C", "section"),
        ("A > B", "section"),
        ("D", "section"),
    ]


def test_later_parts_of_a_section_stand_under_its_heading() -> None:
    text = "## Use\n\n" + "A paragraph of some length.\n\n" * 3
    parts = chunks(text, 60)
    assert [chunk.header for chunk in parts] == ["", "## Use"]
    assert {chunk.name for chunk in parts} == {"Use"}


def test_fenced_code_that_fits_is_not_cut() -> None:
    fence = "```py\nx = 1\n\n\ny = 2\n```\n"
    text = "# A\n\n" + "words " * 5 + "\n\n" + fence + "\nmore words\n"
    assert any(fence in chunk.text for chunk in chunks(text, len(fence)))


lines = st.sampled_from(
    ["# A", "## B", "text", "===", "---", "```", "~~~~", "", "  - x", "    y", "> z", "#", "\ufeff", "🙂"]
)


@given(
    st.builds(lambda end, parts: end.join(parts), st.sampled_from(["\n", "\r\n", "\r"]), st.lists(lines)),
    st.integers(2, 60),
)
def test_blocks_are_in_order_and_chunks_are_the_text(text: str, maximum: int) -> None:
    blocks = markdown_blocks(text)
    for level in [blocks, *(list(block.opened()) for block in every(blocks) if block.opened)]:
        borders = [border for block in level for border in (block.start, block.end)]
        assert borders == sorted(borders)
    assert "".join(chunk.text for chunk in chunks(text, maximum)) == text
