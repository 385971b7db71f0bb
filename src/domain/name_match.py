"""How much of a question the names of code say: what is well named is found by its name."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from .document import Chunk
from .search_words import name_words, search_words, telling_words

_FIRST = 0.15
"""Weight of the first word beside the others."""

_MOST = 20
"""Assigned names of a chunk that are looked at: a table of constants has hundreds."""

_TABLES = frozenset({"json", "toml", "yaml"})

_ASSIGNMENT = re.compile(
    r"^[ \t]{0,64}(?:(?:export|const|let|var|val|static|final|public|private)[ \t]{1,8}){0,4}"
    r"([^\W\d]\w{0,63})[ \t]{0,8}(?::[^=\n]{1,80})?=(?![=>])",
    re.MULTILINE,
)


def name_scores(question: str, chunks: Mapping[str, Chunk]) -> dict[str, float]:
    """How well the best name in each chunk fits a question.

    F1 of the words of the two: of the question's words the share that the name has, and of the name's words
    the share that the question has (van Rijsbergen, "Information Retrieval", 1979, chapter 7). Words count by
    their rarity among the names that were found, log(1 + N / (1 + n)), a form of the weight of Spärck Jones
    (Journal of Documentation, 1972). Names of functions begin with what they do, as
    questions for them do: ``load_file``, "Load a file".

    Args:
        question: in prose.
        chunks: what was found, by id.

    Returns:
        In [0, 1], by id.
    """
    asked = frozenset(telling_words(question))
    first = next(iter(search_words(question)), "")
    names = {known: _names(chunk) for known, chunk in chunks.items()}
    rare = _Rarity(names)
    whole = rare.of(asked)
    scores: dict[str, float] = {}
    for known, its in names.items():
        best = 0.0
        for words in its:
            common = rare.of(asked.intersection(words))
            fits = 2 * common / (whole + rare.of(words)) if common else 0.0
            best = max(best, (1 - _FIRST) * fits + _FIRST * (words[0] == first))
        scores[known] = best
    return scores


class _Rarity:
    """What words are worth among the names of some chunks."""

    def __init__(self, names: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._many = len(names)
        self._times = Counter(word for its in names.values() for word in {w for name in its for w in name})

    def of(self, words: Sequence[str] | frozenset[str]) -> float:
        """The sum over words; exact, so that it does not hang on their order, which a set gives anew."""
        return math.fsum(math.log(1 + self._many / (1 + self._times[word])) for word in words)


def _names(chunk: Chunk) -> list[tuple[str, ...]]:
    """The words of each name: of what is defined, without what it is in; else of what is assigned."""
    if chunk.name:
        found = (
            [name.rpartition(".")[2] for name in chunk.name.split(", ")] if _is_code(chunk) else [chunk.name]
        )
    else:
        found = list(dict.fromkeys(_ASSIGNMENT.findall(chunk.text)))[:_MOST]
    return [words for words in map(name_words, found) if words]


def _is_code(chunk: Chunk) -> bool:
    """Whether the name is of definitions: headings, cells and tables have dots and commas of their own."""
    if chunk.kind == "module":
        return chunk.readable is None and chunk.language not in _TABLES
    return chunk.kind in ("function", "class")
