"""A short answer to a question, and whether it is the right one: a name, a path, a value, a list of names.

The answer of a completion is all that it says, without thoughts; where one of its lines begins with
``Answer:`` (or ``Risposta:``) and none comes after it, what that line goes on with, or what comes below where
that is nothing. It is right when it *is* the reference: what makes no difference is written away, on both
sides, and nothing is searched for; numbers are compared by their value. Lines of code are another sort of
answer: see ``code_lines``.

Made after the exact match and the F1 of SQuAD (Rajaraman et al., arXiv:1606.05250, section 6.1), which take
all punctuation away; here that of code stays, since ``-1`` is not ``1`` and ``a.b`` is not ``ab``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from unicodedata import normalize

from .text_quality import overlap, words_of

LONGEST = 4_000
"""Characters of an answer; a longer one is not read."""

_LINE = re.compile(r"^[ \t>*_#-]*(?:final answer|answer|risposta)[*_]*[ \t]*:[*_]*[ \t]*(.*)$", re.I | re.M)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:_\d+)*)(?:\.\d*)?(?:e[+-]?\d{1,3})?|[+-]?\.\d+(?:e[+-]?\d{1,3})?", re.A)
_FENCE = re.compile(r"```[\w+-]*[ \t]*\n")
_BULLET = re.compile(r"[ \t]*(?:[-*•]|\d{1,2}[.)])[ \t]+(?=\S)")
_ARTICLE = re.compile(r"(?:(?:an|a|the|il|lo|la|gli|le|un|uno|una)[ ])+(?=[\w*'\"./])")
_PAIRS = (("**", "**"), ("__", "__"), ("'", "'"), ("“", "”"), ("‘", "’"), ("«", "»"))
_STOPS = ".;,:!?"
_DUNDER = re.compile(r"__\w+__")
_CALLED = re.compile(r"(?<=\w)\(\)$")
_PATH = re.compile(r"[\w.\-/\\ ]+\.\w{1,6}")
_ITEM = r"[*\w.'\"-]+"
_LISTED = re.compile(rf"{_ITEM}(?:, ?{_ITEM})*(?:,? (?:and|e|ed) {_ITEM})", re.I)
_AND = re.compile(r",? (?:and|e|ed) ", re.I)
_AROUND = re.compile(r" *([,()\[\]{}=:|]) *")


def accepted_of(reference: Mapping[str, Any]) -> tuple[str, ...]:
    """The right answers of a row, as they are written: its ``answers``, a text or a list, or its ``answer``.

    Empty where it has none that says anything.
    """
    given = reference.get("answers")
    given = reference.get("answer") if given is None else given
    listed = given if isinstance(given, list | tuple) else [given]
    texts = (str(one) for one in listed if isinstance(one, str | int | float) and not isinstance(one, bool))
    return tuple(text for text in texts if normal(text))


def said_in(completion: str) -> str:
    """All that a completion says, without thoughts."""
    return completion.rpartition("</think>")[2].strip()


def claimed(completion: str) -> str | None:
    """The answer that a completion gives; None where it gives none, or several as its last word."""
    said = said_in(completion)
    lines = list(_LINE.finditer(said))
    if len(lines) > 1:
        return None
    if lines and not lines[0][1].strip():
        said = said[lines[0].end() :]
    elif lines and said.endswith(lines[0][1].strip()):
        said = lines[0][1]
    return _on_one_line(unfenced(said.strip())) or None


def unfenced(text: str) -> str:
    """What one fence holds, where there is nothing else."""
    begin = _FENCE.match(text)
    if begin is None or not text.endswith("```") or text.count("```") != 2:
        return text
    return text[begin.end() : -3]


def _on_one_line(text: str) -> str:
    """Lines of a list become a list on one line; others are joined."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and all(_BULLET.match(line) for line in lines):
        return ", ".join(_BULLET.sub("", line, count=1).strip() for line in lines)
    return " ".join(line.strip() for line in lines)


def normal(text: str) -> str:
    """Without what makes no difference between two answers; the same again when it is done twice.

    Case, blanks, back quotes, quotes and bold around it, an article before it and a full stop behind it,
    ``()`` behind a name, ``./`` before a path and the slant of its slashes, ``and`` in a list of names.
    """
    folded = normalize("NFKC", normalize("NFKC", text).casefold())
    plain = " ".join(folded.replace("`", "").replace('"', "'").split())
    before = None
    while plain != before:
        before, plain = plain, _plainer(plain)
    return plain


def _plainer(text: str) -> str:
    """One step; it takes something away, or turns a slash around."""
    plain = _bare(text)
    if _LISTED.fullmatch(plain):
        plain = _AND.sub(",", plain)
    if _PATH.fullmatch(plain) and not plain.startswith(".."):
        plain = plain.replace("\\", "/").removeprefix("./")
    return _AROUND.sub(r"\1", plain).strip()


def _bare(text: str) -> str:
    """One layer of what stands around it less."""
    for left, right in _PAIRS:
        inner = text[len(left) : -len(right)]
        if text.startswith(left) and text.endswith(right) and inner.strip() and right not in inner:
            return text if _DUNDER.fullmatch(text) else inner.strip()
    if text[-1:] in _STOPS and not text.endswith(".."):
        return text.rstrip(_STOPS).rstrip() or text
    article = _ARTICLE.match(text)
    return _CALLED.sub("", text[article.end() :] if article else text)


def is_one_of(answer: str, accepted: tuple[str, ...]) -> bool:
    """Whether an answer is one of the right ones, and nothing besides."""
    given = normal(answer)
    number = _number(given)
    return any(given == normal(one) or (number is not None and number == _number(one)) for one in accepted)


def _number(text: str) -> Decimal | None:
    """The value of a number as it is written; of one in quotes none, since "3.10" is not "3.1"."""
    bare = text.strip().strip("`")
    return Decimal(bare.replace("_", "")) if len(bare) < 100 and _NUMBER.fullmatch(bare.lower()) else None


def is_said(answer: str, accepted: tuple[str, ...]) -> bool:
    """Whether a right answer stands anywhere in it, as a whole word: to be read, and never for a score."""
    given = normal(answer)
    return any(re.search(rf"(?<![\w/]){re.escape(normal(one))}(?!\w)", given) for one in accepted)


def likeness(answer: str, accepted: tuple[str, ...]) -> float:
    """The F1 of words with the right answer that it is most like, in [0, 1]."""
    words = words_of(answer)
    return max((overlap(words, words_of(one)) for one in accepted), default=0.0)
