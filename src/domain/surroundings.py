"""What stands elsewhere in a passage's file and belongs to it, with lines of its own."""

from __future__ import annotations

from collections.abc import Sequence

from .chunking import line_ends
from .document import Chunk, SourceFile

SURROUNDINGS = ("class", "imports")
"""What can be added to a passage: how the class of a method begins, and what the file imports."""


def file_of(chunks: Sequence[Chunk]) -> SourceFile:
    """The file that these chunks are. Of UTF-16 the order of its bytes is not known any more.

    Args:
        chunks: all of one file, in order; at least one.
    """
    text = "".join(chunk.text for chunk in chunks)
    codecs = ("utf-16-le", "utf-8") if text.startswith("\ufeff") else ("utf-8",)
    fitting = (codec for codec in codecs if all(_fits(chunk, codec) for chunk in chunks))
    return SourceFile(chunks[0].path, text.encode(next(fitting, "latin-1")))


def _fits(chunk: Chunk, codec: str) -> bool:
    return len(chunk.text.encode(codec)) == chunk.end - chunk.start


def excerpt(source: SourceFile, start: int, end: int, language: str, kind: str, name: str = "") -> Chunk:
    """Some lines of a file as a chunk of their own.

    Args:
        start: a character of the first line.
        end: one past a character of the last line.
    """
    text, codec = source.decoded()
    start -= text[start - 1 : start + 1] == "\r\n"
    start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    while end < len(text) and text[end - 1] not in "\r\n":
        end += 1
    end += text[end - 1 : end + 1] == "\r\n"
    body = text[start:end]
    first_byte, first_line = len(text[:start].encode(codec)), 1 + line_ends(text, 0, start)
    last_line = first_line + line_ends(text, start, end - 1)
    last_byte = first_byte + len(body.encode(codec))
    return Chunk(source.path, first_byte, last_byte, first_line, last_line, body, language, kind, name)
