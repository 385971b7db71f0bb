"""The words of code and of questions, as a full-text index compares them.

Identifiers are taken whole and apart: ``loadFile_now`` is loadfilenow, load, file and now, so that a question
may write it in any way. Endings of English words are cut, because names say ``load`` where questions say
``loading``, and words that every question has are not looked for. Words are of letters and digits alone:
SQLite's FTS5 neither splits them nor reads syntax into them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_LONGEST = 64
"""Characters of the longest word anyone looks for; what is longer is data, as in base64."""

_MOST = 100
"""Words of a query that are looked for; a question has fewer, and each costs time."""

_WORD = re.compile(r"[^\W_]\w*")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_VOWEL = re.compile(r"[aeiouy]")

_STOP = frozenset(
    _WORD.findall(
        "a an the of to in on at for by with from as is are be was were been it its this that these those and"
        " or not no if then than so do does did can could should would will may might must has have had how"
        " what when where which who why i you we they he she my your our their there here into about using"
        " use used"
    )
)
"""What every question has, and nobody looks for."""


def search_words(text: str) -> list[str]:
    """The words of code, prose or a query, small and without accents, in order and as often as they stand."""
    words: list[str] = []
    for word in _WORD.findall(text):
        if len(word) > _LONGEST:
            continue
        parts = _parts(word)
        if len(parts) > 1:
            words.append(_stem("".join(parts)))
        words += [_stem(part) for part in parts]
    return words


def match_any(query: str) -> str:
    """The FTS5 expression for texts with any word of a query; empty where it has no words.

    A query of nothing but words that every question has is looked for with these.
    """
    words = telling_words(query) or list(dict.fromkeys(search_words(query)))
    return " OR ".join(f'"{word}"' for word in words[:_MOST])


def telling_words(query: str) -> list[str]:
    """The words of a query, each once, but for those that every question has."""
    return [word for word in dict.fromkeys(search_words(query)) if word not in _STOP_STEMS]


@lru_cache(maxsize=20_000)
def name_words(name: str) -> tuple[str, ...]:
    """The words that a name is made of, each once: ``loadFile_now`` is load, file and now."""
    words = (word for word in _WORD.findall(name) if len(word) <= _LONGEST)
    return tuple(dict.fromkeys(_stem(part) for word in words for part in _parts(word)))


def _stem(word: str) -> str:
    """A word without the ending that English gives plurals and verbs: a little of what Porter's stemmer does.

    Forms of one word must meet, and need not be words: ``parsing``, ``parsed``, ``parses`` and ``parse`` are
    all ``pars``. What is too short to be sure stays whole.
    """
    if len(word) > 3 and word.endswith("s"):
        if word.endswith("ies"):
            word = f"{word[:-3]}y"
        elif not word.endswith(("ss", "us", "is")):
            word = word[:-1]
    if len(word) > 5 and word.endswith("ing") and _VOWEL.search(word, 0, len(word) - 3):
        word = _undoubled(word[:-3])
    elif len(word) > 4 and word.endswith("ed") and _VOWEL.search(word, 0, len(word) - 2):
        word = _undoubled(word[:-2])
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


def _undoubled(word: str) -> str:
    """``stopp`` is stop, but ``pass`` and ``call`` are written so."""
    doubled = len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz"
    return word[:-1] if doubled else word


def _parts(word: str) -> list[str]:
    if not word.isascii():
        decomposed = unicodedata.normalize("NFKD", word)
        word = "".join(letter for letter in decomposed if letter.isalnum() or letter == "_")
    parts = _PART.findall(word) if word.isascii() else word.casefold().split("_")
    return [part.lower() for part in parts if part]


_STOP_STEMS = frozenset(_stem(word) for word in _STOP)
