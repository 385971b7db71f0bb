"""What is searched: the chunks of each contender, with what is embedded and looked through of each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cesello.adapters.memory.treesitter_chunker import TreeSitterChunker
from cesello.domain.chunk_text import code_words, definition_of, embedding_text, reranking_text
from cesello.domain.document import Chunk, SourceFile
from cesello.domain.search_words import search_words

MAXIMUM = 900


@dataclass(frozen=True)
class Unit:
    """A chunk of a contender.

    Attributes:
        embedded: the text of its vector.
        fields: name, path and text for the full-text index.
        reranked: what a reranker reads.
        head: the number of the unit its definition begins in; its own where it is not a later part.
        chunk: what the product knows of it; None for a peer's.
    """

    path: str
    first: int
    last: int
    text: str
    embedded: str
    fields: tuple[str, str, str]
    reranked: str
    head: int
    chunk: Chunk | None = None

    @property
    def heading(self) -> str:
        """What stands above it in a context."""
        return f"[10] (0.00) {self.path}:{self.first}-{self.last}"


def plain(path: str, first: int, last: int, text: str, number: int) -> Unit:
    """A chunk of which nothing is known but its text."""
    return Unit(path, first, last, text, text, ("", path, text), text, number)


def ours(
    sources: Mapping[str, str],
    maximum: int = MAXIMUM,
    header: str = "name",
    read: Callable[[str], str] = code_words,
) -> list[Unit]:
    """Our chunks, as the product has them.

    Args:
        header: what stands above the code that is embedded.
        read: what the embedder reads of that.
    """
    chunker = TreeSitterChunker(maximum)
    units: list[Unit] = []
    for path, text in sources.items():
        chunks = chunker.chunk(SourceFile(path, text.encode()))
        places = {chunk.start: len(units) + at for at, chunk in enumerate(chunks)}
        for chunk in chunks:
            head = places[definition_of(chunk, chunks)[0].start]
            fields = chunk.name, chunk.path, f"{chunk.description}\n{chunk.header}\n{chunk.text}"
            units.append(
                Unit(
                    path, chunk.start_line, chunk.end_line, chunk.text,
                    read(HEADERS[header](chunk)), fields, reranking_text(chunk), head, chunk,
                )
            )  # fmt: skip
    return units


def _module(chunk: Chunk) -> str:
    path = PurePosixPath(chunk.path)
    return path.parent.name if path.stem == "__init__" and path.parent.name else path.stem


HEADERS: Mapping[str, Callable[[Chunk], str]] = {
    "none": lambda chunk: chunk.text,
    "name": embedding_text,
    "module and name": lambda chunk: f"# File: {_module(chunk)}\n{embedding_text(chunk)}",
    "path and name": lambda chunk: f"# File: {chunk.path}\n{embedding_text(chunk)}",
}


def fixed(sources: Mapping[str, str], maximum: int = MAXIMUM) -> list[Unit]:
    """Lines up to the maximum, wherever that is."""
    pieces = (
        (path, *piece)
        for path, text in sources.items()
        for piece in _line_pieces(text.splitlines(True), maximum)
    )
    return [plain(*piece, number) for number, piece in enumerate(pieces)]


def _line_pieces(lines: Sequence[str], maximum: int) -> Iterator[tuple[int, int, str]]:
    start = size = 0
    for at, line in enumerate(lines):
        if at > start and size + len(line) > maximum:
            yield start + 1, at, "".join(lines[start:at])
            start, size = at, 0
        size += len(line)
    if lines:
        yield start + 1, len(lines), "".join(lines[start:])


def words(text: str) -> str:
    return " ".join(search_words(text))


PROGRAM = Path(__file__).with_name("retrieval_chunks.py")
PEERS = Path(__file__).resolve().parents[2] / "build" / "memory-peers"


def peer(sources: Mapping[str, str], name: str, maximum: int = MAXIMUM) -> list[Unit]:
    """The chunks of a peer, which is asked in a process with its own packages."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM)],
        input=json.dumps({"peer": name, "maximum": maximum, "sources": dict(sources)}),
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PEERS), "PYTHONWARNINGS": "ignore"},
        check=True,
    )
    chunks: list[tuple[str, int, int, str]] = json.loads(done.stdout)
    return [plain(path, first, last, text, at) for at, (path, first, last, text) in enumerate(chunks)]
