"""The names that code is asked about by: which of them mean one thing alone, and which nobody asks for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from .python_facts import FunctionFacts, PythonFacts
from .remembered_file import IndexedFile

CODE_KINDS = ("function", "class")
"""Of chunks that are one definition."""

_SENTENCE = re.compile(r"(?<=[.!?])\s")


@dataclass(slots=True)
class Names:
    """How often names are there in all of an index, so that a question can tell whether it is clear.

    Attributes:
        top: of functions, classes and constants at the margin, or of other languages' definitions.
        methods: ``Class.method``; ``bare`` the method alone.
        said: first sentences of documentation.
        files: last names of files.
    """

    top: Counter[str] = field(default_factory=Counter)
    methods: Counter[str] = field(default_factory=Counter)
    bare: Counter[str] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)
    files: Counter[str] = field(default_factory=Counter)

    def add(self, file: IndexedFile, facts: PythonFacts | None) -> None:
        """Counts what a file defines."""
        self.files[file.path.rsplit("/", 1)[-1]] += 1
        if facts is None:
            for name, _, description in definitions(file):
                self.top[name] += 1
                self.said[summary_of(description)] += 1
            return
        self.top.update(name for name, _, _ in facts.top_level())
        for one in facts.functions:
            self.said[summary_of(one.docstring)] += 1
            if one.owner:
                self.methods[one.called] += 1
                self.bare[one.name] += 1
        self.said.update(summary_of(one.docstring) for one in facts.classes)

    def is_clear(self, one: FunctionFacts) -> bool:
        """Whether a function's name means it alone."""
        if one.owner:
            return self.top[one.owner] == 1 and self.methods[one.called] == 1
        return self.top[one.name] == 1


def summary_of(docstring: str) -> str:
    """The first sentence of a documentation, on one line."""
    paragraph = " ".join(docstring.strip().split("\n\n")[0].split())
    return _SENTENCE.split(paragraph, maxsplit=1)[0]


def definitions(file: IndexedFile) -> Iterator[tuple[str, str, str]]:
    """Name, kind and description of every chunk that is one definition: for languages that are not parsed.

    Parts of a definition that was too large for one chunk are told apart by their header.
    """
    for chunk in file.chunks:
        if chunk.kind in CODE_KINDS and chunk.name and "," not in chunk.name and not chunk.header:
            yield chunk.name, chunk.kind, chunk.description


def is_aside(name: str) -> bool:
    """Whether people would not ask for a name: it is private, special, or a test's."""
    return name.startswith(("_", "test_", "Test"))


def words_in(name: str) -> list[str]:
    """The words of an identifier or of a sentence, in small letters."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    return [part.casefold() for part in parts]
