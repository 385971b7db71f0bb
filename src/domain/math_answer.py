r"""The result in a completion, and whether its text may be given to a parser.

Where the result is, the first that is found:

    \boxed{42}                       the last box; none where more follows it at once: \boxed{5}{6}
    #### 42                          the last such line, as in GSM8K
    the answer is 42, answer: 42     the rest of the last such sentence
    $42$, \(42\), \[42\]             the last formula, where nothing but a full stop follows it
    42                               the whole text where it is one short line without words
    ... 42 apples.                   the last number
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .math_number import number_of

LONGEST = 400
"""Characters of a result; a longer one is not read."""

_TAIL = 20_000
_DEEPEST = 10
_HASHES = re.compile(r"^[ \t]*####[ \t]*(\S[^\n]*)$", re.MULTILINE)
_SAID = re.compile(
    r"\b(?:final answer|answer|result|risposta|risultato)\b(?:[ \t]*(?:is|è|[:=])){1,2}[ \t]*(\S[^\n]*)",
    re.IGNORECASE,
)
_FORMULA = re.compile(
    r"\$\$([^$]{1,400})\$\$|\$([^$]{1,400})\$|\\\((.{1,400}?)\\\)|\\\[(.{1,400}?)\\\]", re.DOTALL
)
_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[ ]?/[ ]?\d+)?%?(?!\w)")
_WORDS = re.compile(r"(?<!\\)\b[A-Za-z]{3,}")
_READABLE = re.compile(r"[A-Za-z0-9\s+\-*/^=<>()\[\]{}|,.;:!%$&\\'_°πθ∞√×÷·±≤≥≠−–∪∩∈]*")
_BEHIND_BOX = re.compile(
    r"\s*(?:\{|[\^_]\s*[\w{\\(+-]|\\[dt]?frac|\\sqrt|\\(?:cdot|times|div)(?![A-Za-z]))|\d|!|\([\d\\]"
    r"|[*/+-]\s*[\w({\\]"
)
_SEVERAL = re.compile(
    r"\bor\b|\band\b|;|\\pm|±|\\mp|\\text\{\s*(?:or|and)\s*\}|\\vee|\\lor|\bo\b|\boppure\b"
    r"|\\approx|\\sim|\\cong|\\equiv|\\doteq|\\to(?![A-Za-z])|\\iff|\\implies|arrow|\d\}*\s*_"
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_OPERATOR = re.compile(r"\\(?:i*int|o?int|sum|prod|lim|det|binom)(?![A-Za-z])|\\frac\s*\{\s*\\?d\s*\}")
_BARE_NAME = re.compile(r"\\?[A-Za-z]+(?:_\{?\w+\}?)?(?:\([A-Za-z](?:,\s*[A-Za-z])*\))?")


def final_answer(text: str) -> str | None:
    """The result of a completion, cut out as the table above says; None where there is none."""
    read = text[-_TAIL:]
    if "\\boxed{" in read:
        return _last_box(read).strip() or None
    for pattern in (_HASHES, _SAID):
        found = list(pattern.finditer(read))
        if found:
            return _bare(found[-1][1]) or None
    formulas = list(_FORMULA.finditer(read))
    if formulas and not read[formulas[-1].end() :].strip(" .\n"):
        return next(filter(None, formulas[-1].groups())).strip() or None
    line = read.strip()
    if line and "\n" not in line and len(line) <= LONGEST and not _WORDS.search(line):
        return _bare(line) or None
    numbers = _NUMBER.findall(read)
    return numbers[-1] if numbers else None


def _last_box(text: str) -> str:
    """What the last box holds; nothing where it is not closed, or where the formula goes on behind it."""
    start = text.rfind("\\boxed{") + len("\\boxed{")
    depth = 1
    for index in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if not depth:
            return "" if _BEHIND_BOX.match(text, index + 1) else text[start:index]
    return ""


def _bare(text: str) -> str:
    """Without the full stop and the marks around a formula."""
    bare = text.strip().rstrip(".").strip().strip("*").strip()
    found = _FORMULA.fullmatch(bare)
    return next(filter(None, found.groups())).strip() if found else bare


def unreadable(answer: str) -> str | None:
    """Why a result is not given to the parser, as a reason code; None where it may be."""
    if len(answer) > LONGEST:
        return "answer_too_long"
    if not _READABLE.fullmatch(answer) or "__" in answer:
        return "answer_not_mathematics"
    depth = deepest = 0
    for character in answer:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return "answer_too_deep" if deepest > _DEEPEST else None


def lists_several(answer: str, reference: str) -> bool:
    r"""Whether a result offers several values where the reference has one, as 41, 42 and 41 \approx 42 do."""
    if _SEVERAL.search(answer) and not _SEVERAL.search(reference):
        return True
    return len(list(_items(answer))) > 1 and len(list(_items(reference))) == 1


def _items(text: str) -> Iterator[str]:
    """What commas outside of brackets part."""
    depth, item = 0, ""
    for character in _THOUSANDS.sub("", text):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth <= 0:
            yield item
            item = ""
        else:
            item += character
    yield item


def is_left_to_do(answer: str, reference: str) -> bool:
    r"""Whether a result is work that remains: ``6*7`` or ``84/2`` for 42, an integral for its value.

    Symbolic equality cannot tell these from an answer. Where the reference is a number, only a number is one,
    and a fraction only where it cannot be shortened; a power, a root and a sum are work.
    """
    if _OPERATOR.search(answer) and not _OPERATOR.search(reference):
        return True
    if number_of(reference) is None or "".join(answer.split()) == "".join(reference.split()):
        return False
    number = number_of(answer)
    return number is None or not number.reduced


def sides(answer: str, reference: str) -> tuple[str, ...]:
    """The texts that must each equal the reference: ``x = 6 * 7 = 42`` claims that 6 * 7 does, and 42.

    A name alone on the left is no claim. Where the reference is an equation itself, the answer is one text.
    """
    if "=" in reference or re.search(r"[<>]=|\\[gln]eq?\b", answer):
        return (answer,)
    parts = [part.strip() for part in answer.split("=")]
    if len(parts) > 1 and _BARE_NAME.fullmatch(parts[0]):
        parts = parts[1:]
    return tuple(parts)
