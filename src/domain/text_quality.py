"""Figures of a text, each in [0, 1], that need no model: how long, how repetitive, how like another."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

LONGEST = 100_000
"""Characters that are looked at: what follows is beyond any band of length."""

_WORD = re.compile(r"[^\W_]+")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
_NGRAM = 3
# What praises the person or the answer itself, in English and Italian.
_FLATTERY = re.compile(
    r"(?:great|excellent|wonderful|fantastic|amazing|brilliant|good|fascinating)\s+(?:question|point|idea|choice)"
    r"|you(?:'re| are)\s+(?:so\s+|very\s+|absolutely\s+|really\s+|truly\s+)?"
    r"(?:right|smart|brilliant|amazing|wonderful|clever)"
    r"|what an?\s+\w+\s+(?:question|idea|point)"
    r"|(?:i'm|i am|i'd be|i would be)\s+(?:so\s+|very\s+)?(?:happy|glad|delighted|honou?red)"
    r"|(?:hope|trust)\s+(?:that\s+)?this\s+helps|feel free to|thank you for (?:asking|your)"
    r"|(?:this|it) is (?:a|the) (?:perfect|best|correct|excellent) (?:answer|response|solution)"
    r"|(?:ottima|bella|splendida|eccellente|bellissima)\s+(?:domanda|osservazione|idea)"
    r"|hai\s+(?:perfettamente|assolutamente)\s+ragione|spero\s+(?:che\s+)?(?:ti|questo)",
    re.IGNORECASE,
)


def words_of(text: str) -> list[str]:
    """The words of a text in small letters; a Chinese, Japanese or Korean character is one by itself."""
    spaced = _WIDE.sub(lambda found: f" {found[0]} ", text[:LONGEST])
    return [word.lower() for word in _WORD.findall(spaced)]


def sincere_part(text: str) -> list[str]:
    """The sentences of a text that do not flatter."""
    sentences = (found[0].strip() for found in _SENTENCE.finditer(text[:LONGEST]))
    return [one for one in sentences if one and not _FLATTERY.search(one)]


def content_of(text: str) -> str:
    """The sentences that say something, each once: flattery and what is said again are left out.

    So that neither makes a text longer than it is.
    """
    seen: dict[str, str] = {}
    for sentence in sincere_part(text):
        if key := " ".join(words_of(sentence)):
            seen.setdefault(key, sentence)
    return "\n".join(seen.values())


def in_band(length: int, shortest: int, longest: int) -> float:
    """1 from ``shortest`` to ``longest``; below in proportion less, above too, and 0 at twice ``longest``."""
    if length < shortest:
        return length / shortest
    return 1.0 if length <= longest else max(0.0, 1.0 - (length - longest) / longest)


def variety(words: Sequence[str]) -> float:
    """The share of groups of three words that are not there for a second time; 1 for a few words.

    Ordinary prose is above 0.9, a sentence said five times near 0.2.
    """
    groups = [tuple(words[index : index + _NGRAM]) for index in range(len(words) - _NGRAM + 1)]
    return len(set(groups)) / len(groups) if groups else 1.0


def overlap(words: Sequence[str], reference: Sequence[str]) -> float:
    """The harmonic mean of the share of words that the reference has and the share of it that is said.

    Each word counts as often as the reference has it, and one more lowers the first share: padding costs.
    """
    common = sum((Counter(words) & Counter(reference)).values())
    return 2 * common / (len(words) + len(reference)) if common else 0.0


def request_id(*texts: str) -> str:
    """Sixteen letters that come from the texts alone, and that none of them can know."""
    digest = blake2b(digest_size=8)
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
