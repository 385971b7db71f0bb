"""Files as they are read and chunks as they are remembered."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PARAGRAPH_END = re.compile(r"\n[ \t]*\r?\n")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a project, not yet understood.

    Attributes:
        path: relative to the project, with forward slashes.
        content: the bytes on disk.
    """

    path: str
    content: bytes

    def decoded(self) -> tuple[str, str]:
        """The text and the codec that gives ``content`` back exactly when the text is encoded with it.

        UTF-16 is recognised by its byte order mark, which stays in the text. What is neither that nor
        UTF-8 is read as Latin-1, where every byte is a character: nothing is ever replaced or dropped.
        """
        marks = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
        for codec in (marks.get(self.content[:2]), "utf-8"):
            try:
                if codec:
                    return self.content.decode(codec), codec
            except UnicodeDecodeError:
                continue
        return self.content.decode("latin-1"), "latin-1"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a file that is embedded, found and shown as one.

    Attributes:
        path: the file's.
        start: first byte in the file.
        end: one past the last byte.
        start_line: 1-based line of the first character.
        end_line: 1-based line of the last character, inclusive.
        text: the characters of the bytes between ``start`` and ``end``.
        language: a programming language, a file suffix, ``text`` or ``binary``.
        kind: ``function``, ``class``, ``section`` (of a text with headings), ``module`` (statements, or
            definitions of several kinds) or ``text``.
        name: qualified names of the definitions in it (``A.b``; ``Guide > Use`` for a section), separated by
            commas; empty without any.
        header: the signature of the definition this is a later part of; empty when the text shows it.
        description: the first paragraph of the definition's docstring, or of the comment above it.
        readable: what the author of a notebook sees of it, where the text is JSON: source without quotes, and
            nothing for outputs and metadata. None where the text itself is readable.
    """

    path: str
    start: int
    end: int
    start_line: int
    end_line: int
    text: str
    language: str
    kind: str
    name: str = ""
    header: str = ""
    description: str = ""
    readable: str | None = None

    @property
    def location(self) -> str:
        """``path:first-last``, as an editor understands it."""
        return f"{one_line(self.path)}:{self.start_line}-{self.end_line}"


def first_paragraph(docstring: str, maximum: int = 300) -> str:
    """The first paragraph of a docstring on one line, at most ``maximum`` characters."""
    text = docstring.strip()[: 4 * maximum]
    end = _PARAGRAPH_END.search(text) if "\n" in text else None
    return one_line(text[: end.start()] if end else text)[:maximum]


def one_line(text: str) -> str:
    """Without line ends, and without the halves of surrogate pairs that the name of a file may bring."""
    line = " ".join(text.split())
    return line if line.isascii() else line.encode("utf-8", "backslashreplace").decode()
