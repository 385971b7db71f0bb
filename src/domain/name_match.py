"""How much of a question the names of code say: what is well named is found by its name."""

from __future__ import annotations

import math
import operator
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from .document import Chunk
from .search_words import name_words, search_words, telling_words

_FIRST = 0.15
"""Weight of the first word beside the others."""

_BETA = 0.8
"""Of F. Below 1 the name's share counts more than the question's, of which a short name leaves out most. It
and ``_ALIKE`` were chosen with the weights of ``OrderWeights``."""

_ALIKE = 0.8
"""What words are to each other of which one is in the other."""

_SHORTEST = 3
"""Letters of a word that is looked for inside another."""

_READ = 100
"""Words of a question that are compared; each costs time."""

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

    F of the words of the two: of the question's words the share that the name has, and of the name's words
    the share that the question has (van Rijsbergen, "Information Retrieval", 1979, chapter 7). Words count by
    their rarity among the names that were found, log(1 + N / (1 + n)), a form of the weight of Spärck Jones
    (Journal of Documentation, 1972), and so far as they are alike, as in SoftTFIDF (Cohen, Ravikumar and
    Fienberg, "A Comparison of String Distance Metrics for Name-Matching Tasks", IIWeb 2003). Names of
    functions begin with what they do, as questions for them do: ``load_file``, "Load a file".

    Args:
        question: in prose.
        chunks: what was found, by id.

    Returns:
        In [0, 1], by id.
    """
    asked = telling_words(question)[:_READ]
    first = next(iter(search_words(question)), "")
    names = {known: _names(chunk) for known, chunk in chunks.items()}
    match = _Match(asked, names)
    scores: dict[str, float] = {}
    for known, its in names.items():
        best = 0.0
        for words in its:
            best = max(best, (1 - _FIRST) * match.fits(words) + _FIRST * _alike(words[0], first))
        scores[known] = best
    return scores


class _Match:
    """How the names of some chunks and the words of a question fit; sums are exact, in whatever order."""

    def __init__(self, asked: Sequence[str], names: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._many = len(names)
        self._times = Counter(word for its in names.values() for word in {w for name in its for w in name})
        self._whole = self._rarity(asked)
        self._likes = {
            word: {other: like for other in asked if (like := _alike(word, other))} for word in self._times
        }

    def fits(self, words: Sequence[str]) -> float:
        """F of a name, in [0, 1]."""
        common: dict[str, float] = {}
        for word in words:
            for other, like in self._likes[word].items():
                common[other] = max(like, common.get(other, 0.0))
        if not common:
            return 0.0
        likes = [max(self._likes[word].values(), default=0.0) for word in words]
        of_name = self._rarity(words, likes) / self._rarity(words)
        of_question = self._rarity(list(common), list(common.values())) / self._whole
        return (1 + _BETA**2) * of_name * of_question / (_BETA**2 * of_name + of_question)

    def _rarity(self, words: Sequence[str], likes: Sequence[float] | None = None) -> float:
        weights = [math.log(1 + self._many / (1 + self._times[word])) for word in words]
        return math.fsum(map(operator.mul, weights, likes) if likes else weights)


def _alike(word: str, asked: str) -> float:
    """How far a word of a name is one of a question.

    Names shorten words and write them together: ``dirname`` has "name" in it, and begins as "directory" does
    with ``dir``.
    """
    if word == asked:
        return 1.0
    inside = asked in word or asked.startswith(word)
    return _ALIKE if inside and min(len(word), len(asked)) >= _SHORTEST else 0.0


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
