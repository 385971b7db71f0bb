from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.document import SourceFile, first_paragraph
from tests.remembered import chunk


@given(st.binary())
def test_any_content_is_text_that_gives_it_back(content: bytes) -> None:
    text, codec = SourceFile("x", content).decoded()
    assert text.encode(codec) == content


@pytest.mark.parametrize(
    ("content", "text", "codec"),
    [
        (b"caff\xc3\xa8", "caffè", "utf-8"),
        (b"caff\xe8", "caffè", "latin-1"),
        (b"\xff\xfec\x00\xe8\x00", "\ufeffcè", "utf-16-le"),
        (b"\xfe\xff\x00c\x00\xe8", "\ufeffcè", "utf-16-be"),
        (b"\xff\xfec", "ÿþc", "latin-1"),
        (b"", "", "utf-8"),
    ],
)
def test_the_codec_is_recognised(content: bytes, text: str, codec: str) -> None:
    assert SourceFile("x", content).decoded() == (text, codec)


def test_a_strange_path_stays_on_one_line() -> None:
    assert chunk(path="a\nb\udcff🙂.py").location == "a b\\udcff🙂.py:3-4"


@pytest.mark.parametrize(
    ("docstring", "paragraph"),
    [
        ("Does it.", "Does it."),
        ("\n    Does it,\n    twice.\n\n    Args:\n", "Does it, twice."),
        ("Does it.\r\n\r\nMore.", "Does it."),
        ("x" * 400, "x" * 300),
        ("", ""),
    ],
)
def test_the_first_paragraph(docstring: str, paragraph: str) -> None:
    assert first_paragraph(docstring) == paragraph
