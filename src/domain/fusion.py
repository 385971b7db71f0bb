"""One ranking from several: what is near in meaning, what has the query's words, what a reranker says."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from statistics import fmean

RRF_CONSTANT = 60
"""The k of Cormack, Clarke and Büttcher (SIGIR 2009)."""

RERANKER_WEIGHT = 0.1
"""Of a reranker beside the search. One that was trained on prose, like those of MS MARCO, orders code worse
than the search when it decides alone, and beside it brings little: with the weights above this one that
``benchmarks/order_weights.py`` tries, nothing or less."""

_BEST_OF_FILE = 3

_CODE, _MIXED, _PROSE, _LONG_PROSE = 0.7, 0.5, 0.3, 0.1
_LONG = 16
"""Words of a query that describes rather than asks."""

_TEMPERATURE = 4.0
_DOUBT = 0.1

_LONGEST = 64
"""Characters of a word that are looked at."""

_IDENTIFIER = re.compile(
    r"""[^\W_]+_\w+ | _+[^\W_]\w*        # snake_case, _private
      | [a-z0-9]+[A-Z]\w*                # camelCase
      | (?:[A-Z]+[a-z0-9]+){2,}\w*       # CamelCase
      | \w+\(\) | \w+\(\w*\)             # a call
      | \w+(?:\.[^\W\d]\w+)+             # a.b
      | \w+(?:::|->)\w+                  # a::b, a->b
    """,
    re.VERBOSE,
)
_ERROR = re.compile(
    r"\b\w*(?:Error|Exception|Warning)\b\s*[:(]|\b(?:error|fatal|panic|traceback)\b[^\n]{0,200}:", re.I
)


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[str]], weights: Sequence[float], constant: int = RRF_CONSTANT
) -> dict[str, float]:
    """Scores by rank: the sum of weight / (constant + rank), ranks from 1, best first.

    Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
    Methods", SIGIR 2009; there with equal weights.

    Args:
        rankings: ids, best first; an id may be missing from a ranking.
        weights: one a ranking.
        constant: the higher, the less the first ranks say.
    """
    scores: dict[str, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for rank, known in enumerate(ranking, start=1):
            scores[known] = scores.get(known, 0.0) + weight / (constant + rank)
    return _best_first(scores)


def score_fusion(
    cosines: Mapping[str, float], words: Mapping[str, float], weight: float, floor: float = 0.0
) -> dict[str, float]:
    """Scores by score: weight x words + (1 - weight) x cosine, each scaled to [0, 1], best first.

    The convex combination of Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval",
    ACM TOIS 2023, which keeps what ranks throw away: how much better the first is than the second. The scale
    runs from what nothing in common gives to the query's highest. Of words that is 0. Of cosines it is the
    embedder's: one that learnt at a low temperature puts all texts close together (the model card of
    bge-small-en-v1.5 says so of BGE), and counted from 0 no text would be much nearer than another.

    Args:
        cosines: in [-1, 1], by id; one that is missing counts as 0, so give those of the words' ids too
            where they are at hand.
        words: BM25, 0 and above, higher is better (SQLite's ``bm25()`` has the other sign), by id.
        weight: of the words, in [0, 1].
        floor: the cosine of texts that have nothing to do with each other. Where no text comes above it, the
            scale runs from 0.

    Returns:
        In [0, 1], by id.
    """
    near, said = _scaled(cosines, floor), _scaled(words)
    return _best_first(
        {known: weight * said.get(known, 0.0) + (1 - weight) * near.get(known, 0.0) for known in near | said}
    )


def rank_fusion(cosines: Mapping[str, float], words: Mapping[str, float], weight: float) -> dict[str, float]:
    """Scores by rank, as ``score_fusion`` gives them by score: 1 for what is first in both, best first.

    Args:
        cosines, words: of the two searches, by id, best first.
        weight: of the words, in [0, 1].

    Returns:
        In [0, 1], by id.
    """
    fused = reciprocal_rank_fusion([list(cosines), list(words)], [1 - weight, weight])
    return {known: score * (1 + RRF_CONSTANT) for known, score in fused.items()}


def folded(scores: Mapping[str, float], heads: Mapping[str, str]) -> dict[str, float]:
    """One score for all parts of a definition, the highest, under the id of the part it begins with.

    A long function answers as one: else its parts share its words, and crowd each other out. The highest
    passage for the whole is "MaxP" of Dai and Callan, SIGIR 2019.

    Args:
        scores: by id.
        heads: of the ids that are later parts, the first part's id.
    """
    best: dict[str, float] = {}
    for known, score in scores.items():
        head = heads.get(known, known)
        best[head] = max(score, best.get(head, score))
    return _best_first(best)


def with_file(scores: Mapping[str, float], files: Mapping[str, str], weight: float) -> dict[str, float]:
    """Scores that their files speak for too, best first.

    A passage of a file with other good passages is more likely to be the right one. Scores of passage and
    document are interpolated as by Bendersky and Kurland, ECIR 2008; here a file is as good as the mean of
    its three best passages.

    Args:
        scores: in [0, 1], by id.
        files: of every id, the path.
        weight: of the file, in [0, 1].
    """
    of_file: dict[str, list[float]] = {}
    for known, score in scores.items():
        of_file.setdefault(files[known], []).append(score)
    means = {file: fmean(sorted(its)[-_BEST_OF_FILE:]) for file, its in of_file.items()}
    return _best_first(
        {known: (1 - weight) * score + weight * means[files[known]] for known, score in scores.items()}
    )


def with_more(scores: Mapping[str, float], more: Mapping[str, float], weight: float) -> dict[str, float]:
    """Scores that something else speaks for too, best first.

    Args:
        scores: in [0, 1], by id.
        more: what else says, in [0, 1], for every id.
        weight: of what else says, in [0, 1].
    """
    return _best_first(
        {known: (1 - weight) * score + weight * more[known] for known, score in scores.items()}
    )


def words_weight(query: str) -> float:
    """How much a query's words say beside its meaning: much in code and messages, little in long prose.

    The steps come from the four kinds of questions of ``benchmarks/retrieval.py``.
    """
    if looks_like_code(query):
        return _CODE
    words = query.split()
    if _identifiers(words):
        return _PROSE if is_long(query) else _MIXED
    return _LONG_PROSE if is_long(query) else _PROSE


def is_long(query: str) -> bool:
    """Whether a query describes rather than asks: most of its words are in every text, and in many names."""
    return len(query.split()) >= _LONG


def looks_like_code(query: str) -> bool:
    """Whether a query is a name, code or an error message, and so asks for the lines that have it.

    A question in prose asks for what does something: the parts of a definition are one answer to it. Here
    they are not, for only one of them has the lines.
    """
    words = query.split()
    return len(words) <= 1 or 2 * _identifiers(words) >= len(words) or bool(_ERROR.search(query))


def _identifiers(words: Sequence[str]) -> int:
    return sum(bool(_IDENTIFIER.search(word[:_LONGEST])) for word in words)


def is_foreign(query: str, cosine: float, has_words: bool, probability: float | None, least: float) -> bool:
    """Whether nothing that was found has to do with the query, which then is about something else.

    Scores compare what was found with each other, and something is always first. A cosine is absolute, so far
    as one embedder goes: what an answer reaches, nonsense does not. Who asks for a name that stands there, or
    a reranker that sees an answer, overrules it.

    Args:
        cosine: of the nearest text.
        has_words: whether any text has a word of the query.
        probability: the highest that a reranker gave; None where none has read anything.
        least: the cosine that answers reach, by the embedder: see ``benchmarks/relevance.py``.
    """
    if cosine >= least:
        return False
    if looks_like_code(query):
        return not has_words
    return probability is None or probability < _DOUBT


def judged(fused: float, probability: float, weight: float = RERANKER_WEIGHT) -> float:
    """The score of a text that was searched for and then read by a reranker, in [0, 1].

    Rerankers are sure of themselves: nearly all their probabilities are next to 0 or 1. The probability's
    logit is divided by a temperature first (Guo et al., "On Calibration of Modern Neural Networks", ICML
    2017), so that how sure it is still orders texts, and no single one overrules the search.

    Args:
        fused: of ``score_fusion``, in [0, 1].
        probability: the reranker's, in [0, 1].
        weight: of the reranker, in [0, 1].
    """
    yes, no = math.pow(probability, 1 / _TEMPERATURE), math.pow(1 - probability, 1 / _TEMPERATURE)
    return (1 - weight) * fused + weight * yes / (yes + no)


def _scaled(scores: Mapping[str, float], floor: float = 0.0) -> dict[str, float]:
    highest = max(scores.values(), default=0.0)
    least = floor if highest > floor else 0.0
    room = highest - least
    return {known: max(score - least, 0.0) / room if room > 0 else 0.0 for known, score in scores.items()}


def _best_first(scores: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(scores.items(), key=lambda item: (-item[1], item[0])))
