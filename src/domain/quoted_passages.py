"""The passages of a context again: what ``write_context`` has written, read."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import accumulate

from .context import HEADING, OPENING, ending
from .recorded_run import figure
from .secret_text import SECRET, Redact, redacted

_WORD = re.compile(r"\b(?:\d{2,}\b|\w{4,})")
"""Shorter words and numbers are everywhere."""

Words = frozenset[str]


@dataclass(frozen=True, slots=True)
class Quoted:
    """A passage as it was read.

    Attributes:
        id: of its text.
        place: path and lines.
        text: with what stood beside it, without secrets; ``words`` of it and of its place.
    """

    id: str
    place: str
    score: float | None
    text: str
    words: Words


class PassageReader:
    """Reads contexts; a passage that stands in many of them is looked at once.

    Args:
        redact: takes secrets out of a passage, which is whole here.
    """

    def __init__(self, redact: Redact = redacted) -> None:
        self._redact = redact
        self._known: dict[tuple[str, str], Quoted] = {}

    def __call__(self, context: str) -> tuple[Quoted, ...]:
        """The passages of a context, best first; none where it is no context of ours."""
        return tuple(self._quoted(*its) for its in _passages(context))

    def _quoted(self, place: str, score: float | None, said: str) -> Quoted:
        one = self._known.get((place, said))
        if one is None:
            digest = sha256(f"{place}\n{said}".encode("utf-8", "surrogatepass")).hexdigest()
            shown = self._redact(said)
            its = words(f"{self._redact(place)}\n{shown}")
            one = self._known[place, said] = Quoted(digest[:16], place, score, shown, its)
        return one if one.score == score else replace(one, score=score)


def words(said: str) -> Words:
    """Words of four characters or more and numbers of two digits or more, without capitals, once each."""
    return frozenset(words_in_order(said))


def words_in_order(said: str) -> list[str]:
    """The same as they come; what stands for a secret is none."""
    found: list[str] = _WORD.findall(said.replace(SECRET, " ").casefold())
    return found


def span_of(context: str, pieces: Sequence[str]) -> tuple[int, int] | None:
    """From which token to which (not included) a context stands in a row; None where it does not."""
    fence = OPENING.search(context)
    if fence is None:
        return None
    whole_text = "".join(pieces)
    begin = whole_text.find(fence[0])
    if begin < 0:
        return None
    end = whole_text.find(ending(fence[1]), begin)
    until = len(whole_text) if end < 0 else end + len(ending(fence[1]))
    ends = list(accumulate(map(len, pieces)))
    return bisect_right(ends, begin), bisect_left(ends, until) + 1


def _passages(context: str) -> Iterator[tuple[str, float | None, str]]:
    """Place, score and text; what stands beside a passage has its number and follows its text."""
    begins = OPENING.search(context)
    ends = context.rfind(ending(begins[1])) if begins else -1
    if begins is None or ends < begins.end():
        return
    body = context[begins.end() : ends]
    headings = list(HEADING.finditer(body))
    found: dict[int, list[str]] = {}
    told: dict[int, tuple[str, float | None]] = {}
    for at, heading in enumerate(headings):
        number = int(heading[1])
        end = headings[at + 1].start() if at + 1 < len(headings) else len(body)
        beside = number in told
        told.setdefault(number, (heading[3], _score(heading[2])))
        its = body[heading.end() + 1 : end].rstrip()
        found.setdefault(number, []).append(f"{heading[2]}, {heading[3]}\n{its}" if beside else its)
    for number, texts in found.items():
        yield *told[number], "\n\n".join(texts)


def _score(said: str) -> float | None:
    try:
        return figure({"": float(said)}, "")
    except ValueError:
        return None
