from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cesello.adapters.memory.treesitter_chunker import TreeSitterChunker
from cesello.domain.document import Chunk, SourceFile


def cell(kind: str, source: Any, **more: Any) -> dict[str, Any]:
    return {"cell_type": kind, "metadata": {}, "source": source, **more}


def written(cells: list[dict[str, Any]], metadata: dict[str, Any] | None = None, **how: Any) -> bytes:
    notebook = {"cells": cells, "metadata": metadata or {}, "nbformat": 4, "nbformat_minor": 5}
    options: dict[str, Any] = {"indent": 1, **how}
    return (json.dumps(notebook, **options) + "\n").encode()


def chunks(content: bytes, maximum: int = 900) -> tuple[Chunk, ...]:
    found = TreeSitterChunker(maximum).chunk(SourceFile("a.ipynb", content))
    assert b"".join(content[chunk.start : chunk.end] for chunk in found) == content
    assert all(chunk.text.encode() == content[chunk.start : chunk.end] for chunk in found)
    assert all(len(chunk.text) <= maximum for chunk in found)
    return found


PRICES = "import math\n\ndef price(cents):\n    return f'{cents / 100:.2f} €'\n"
CELLS = [
    cell("markdown", ["# Prices\n", "\n", "Of things."]),
    cell("code", PRICES.splitlines(keepends=True), outputs=[], execution_count=1),
    cell("markdown", "## Results"),
    cell("code", "plot('\\t\"🙂\"')", outputs=[{"data": {"image/png": "iVBOR" * 400}}], execution_count=2),
]


@pytest.mark.parametrize("how", [{"indent": 1}, {"indent": None}, {"indent": 4, "ensure_ascii": False}])
def test_a_cell_is_read_as_its_author_wrote_it(how: dict[str, Any]) -> None:
    found = chunks(written(CELLS, **how), 300)
    readable = "".join(chunk.readable or "" for chunk in found)
    for source in ("# Prices\n\nOf things.", PRICES, "## Results", "plot('\\t\"🙂\"')"):
        assert source in readable
    assert "iVBOR" not in readable
    assert "cell_type" not in readable


def test_a_cell_is_called_by_the_headings_above_it() -> None:
    found = chunks(written(CELLS), 300)
    assert {chunk.name for chunk in found if "price(" in (chunk.readable or "")} == {"Prices > cell 2"}
    assert {chunk.name for chunk in found if "plot(" in (chunk.readable or "")} == {
        "Prices > Results > cell 4"
    }


def test_outputs_have_nothing_to_read() -> None:
    found = chunks(written(CELLS), 300)
    assert next(chunk.readable for chunk in found if "iVBOR" in chunk.text) == ""


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({}, "python"),
        ({"language_info": {"name": "R"}}, "r"),
        ({"kernelspec": {"language": "julia"}}, "julia"),
        ({"kernelspec": {"language": 3}}, "python"),
    ],
)
def test_the_language_is_the_kernels(metadata: dict[str, Any], language: str) -> None:
    assert {chunk.language for chunk in chunks(written(CELLS, metadata))} == {language}


@pytest.mark.parametrize(
    "content",
    [b"{}", b"[]", b"", b"no JSON", b'{"cells": 3}', b'{"cells": {"a": [1]}}', b'{"cells": ['],
)
def test_what_is_no_notebook_is_cut_as_what_it_is(content: bytes) -> None:
    assert all(chunk.readable is None for chunk in chunks(content) if chunk.language != "python")


@pytest.mark.parametrize(
    "strange",
    [
        [3],
        [{"source": {"a": "b"}}],
        [cell("code", [1, None, "x = 1"])],
        [cell("raw", "\ud83d alone")],
        [{}],
        [[]],
    ],
)
def test_strange_cells_are_covered(strange: list[Any]) -> None:
    for maximum in (2, 20, 900):
        chunks(written(strange), maximum)


@settings(max_examples=50)
@given(st.lists(st.lists(st.text(max_size=30), max_size=4), max_size=5), st.integers(2, 400), st.booleans())
def test_all_source_is_read_once(sources: list[list[str]], maximum: int, ascii_only: bool) -> None:
    content = written([cell("code", source) for source in sources], ensure_ascii=ascii_only)
    found = chunks(content, maximum)
    if maximum > 350:  # no string was cut
        letters = "".join("".join(chunk.readable or "" for chunk in found).split())
        assert letters == "".join("".join("".join(source) for source in sources).split())
