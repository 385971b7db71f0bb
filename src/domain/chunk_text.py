"""What an embedder and a reranker read of a chunk, and which chunks are one definition."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .document import Chunk, one_line

_LABELS = {"function": "Function", "class": "Class", "section": "Section"}
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SIGNS = re.compile(r"[!-/:-@\[-`{-~]+")
"""What is printed in ASCII and is neither a letter, a digit nor a space."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

RERANKED_CHARACTERS = 200
"""Of the code a reranker reads: more took longer and ordered no better."""


def embedding_text(chunk: Chunk) -> str:
    """What an embedder reads: the name of the code and what it says of itself, then the code.

    The code of a later part of a definition stands under the definition's signature. The path is left out, so
    that a file that is renamed keeps its vectors.
    """
    lines = []
    if chunk.name:
        lines.append(f"# {_LABELS.get(chunk.kind, 'Definitions')}: {chunk.name}")
    if chunk.description:
        lines.append(f"# Description: {chunk.description}")
    if chunk.header:
        lines.append(chunk.header)
    return "\n".join([*lines, _readable(chunk)])


def reranking_text(chunk: Chunk, maximum: int = RERANKED_CHARACTERS) -> str:
    """What a reranker reads: the name in words, where it is, what it says of itself, and how the code begins.

    Rerankers are trained on prose, and read a name as prose better than as code.

    Args:
        chunk: which.
        maximum: characters of the code.
    """
    code = "\n".join(line.strip() for line in _readable(chunk).strip().splitlines())[:maximum]
    place = one_line(f"{chunk.path} {chunk.name}").strip()
    parts = [f"{name_in_words(chunk.name)} ({place}):", chunk.description, chunk.header, code]
    return " ".join(part for part in parts if part).strip()


def name_in_words(name: str) -> str:
    """``Cache.loadFile, save_all`` as it is read aloud: cache load file save all."""
    return " ".join(part.lower() for part in _PART.findall(name)) if name.isascii() else name


def code_words(text: str) -> str:
    """``def loadFile(self, path):`` as words: def load File self path.

    To a model of prose every bracket and every underscore is a token. Without them code has two fifths fewer
    tokens, so that it takes so much less time and is seldom longer than the model reads. all-MiniLM-L6-v2
    finds as much by them, bge-small-en-v1.5 does not (``benchmarks/order_weights.py``).
    """
    return _HUMP.sub(" ", _SIGNS.sub(" ", text))


def definition_of(chunk: Chunk, file: Sequence[Chunk]) -> tuple[Chunk, ...]:
    """The chunk, with the chunks before and after it that are parts of the same definition.

    The first of them shows how the definition begins: a person and a model understand a later part with it.

    Args:
        chunk: one of the file's.
        file: the chunks of the file, in order.
    """
    at = next((at for at, one in enumerate(file) if one.start == chunk.start), None)
    if at is None:  # the file has changed
        return (chunk,)
    first = last = at
    while first and _goes_on(file[first - 1], file[first]):
        first -= 1
    while last + 1 < len(file) and _goes_on(file[last], file[last + 1]):
        last += 1
    return tuple(file[first : last + 1])


def _goes_on(before: Chunk, part: Chunk) -> bool:
    """Whether a chunk is a later part of what the chunk before it ends with."""
    return bool(part.header) and part.name == before.name.rsplit(", ", 1)[-1]


def _readable(chunk: Chunk) -> str:
    return chunk.text if chunk.readable is None else chunk.readable
