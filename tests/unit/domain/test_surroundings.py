from __future__ import annotations

import re
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.document import SourceFile
from cesello.domain.surroundings import excerpt, file_of
from tests.fakes.memory import FakeChunker

letters = st.text(st.sampled_from("ab \n\r\x0c\u00df\u65e5\U0001f642\0"), min_size=1, max_size=60)


@given(letters, st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "latin-1"]), st.integers(2, 20))
def test_a_file_is_the_chunks_that_it_was_cut_into(text: str, codec: str, maximum: int) -> None:
    if codec.startswith("utf-16"):
        text = f"\ufeff{text}"
    source = SourceFile("a.txt", text.encode(codec, "replace"))
    chunks = FakeChunker(maximum).chunk(source)
    restored = file_of(chunks)
    written, its = restored.decoded()
    assert written == source.decoded()[0]
    assert [restored.content[one.start : one.end].decode(its) for one in chunks] == [
        one.text for one in chunks
    ]


@given(letters, st.data())
def test_an_excerpt_is_of_whole_lines_with_their_numbers(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    source = SourceFile("a.txt", text.encode())
    found = excerpt(source, start, end, "text", "text")
    lines = re.findall(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+", text)
    starts = [0, *accumulate(map(len, lines))]
    wanted = [n for n, line in enumerate(lines) if starts[n] < end and starts[n] + len(line) > start]
    assert found.text == "".join(lines[n] for n in wanted)
    assert (found.start_line, found.end_line) == (wanted[0] + 1, wanted[-1] + 1)
    assert source.content[: found.start].decode() == "".join(lines[: wanted[0]])
    assert source.content[found.start : found.end].decode() == found.text


@pytest.mark.parametrize(("start", "end"), [(3, 4), (3, 5), (4, 5), (5, 6)])
def test_the_two_characters_of_a_line_end_stay_together(start: int, end: int) -> None:
    found = excerpt(SourceFile("a.txt", b"a\r\nb\r\nc"), start, end, "text", "text")
    assert (found.text, found.start, found.end, found.start_line) == ("b\r\n", 3, 6, 2)
