"""What a text for a prompt must not hold: what a person cannot see, and what nobody but its owner may.

What is not seen can tell a model something else than the person who read the text before it was used
(https://trojansource.codes, and the tag characters of Unicode, which spell ASCII invisibly).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_UNSEEN = {
    "a control character": re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"),
    "a character that changes the direction of text": re.compile("[\u202a-\u202e\u2066-\u2069]"),
    "a character that nobody sees": re.compile("[\u200b\u2060-\u2064\ufeff\U000e0000-\U000e007f]"),
}
_SECRETS = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "a token of GitHub": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60,})"),
    "a key of AWS": re.compile(r"\b(?:AKIA|ASIA)(?![A-Z0-9]*EXAMPLE)[A-Z0-9]{16}\b"),
    "a key of Google": re.compile(r"\bAIza[\w-]{35}\b"),
    "a token of Slack": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{20,}"),
    "a token of Hugging Face": re.compile(r"\bhf_[A-Za-z]{34}\b"),
    "a key of a model's server": re.compile(r"\bsk-(?:[a-z]+-)*[A-Za-z0-9_-]{32,}"),
}

_BLOCK = re.compile(
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?:.*?-----END (?:[A-Z]+ )*PRIVATE KEY-----|.*)", re.DOTALL
)

_BLOCK_END = re.compile(r"\A.*-----END (?:[A-Z]+ )*PRIVATE KEY-----", re.DOTALL)
"""Of a text whose beginning was cut off."""


@dataclass(frozen=True, slots=True)
class Hazard:
    """What was found, with line and column from 1. What a secret is stays unsaid."""

    what: str
    line: int
    column: int
    secret: bool


def hazards(text: str) -> Iterator[Hazard]:
    """Every one of them, kind by kind; a mark that says how the bytes of a text are ordered is none."""
    text = text.removeprefix("\ufeff")
    for secret, patterns in ((False, _UNSEEN), (True, _SECRETS)):
        for what, pattern in patterns.items():
            for found in pattern.finditer(text):
                before = text[: found.start()]
                sign = "" if secret else f", U+{ord(found[0]):04X}"
                column = found.start() - (before.rfind("\n") + 1) + 1
                yield Hazard(what + sign, before.count("\n") + 1, column, secret)


def masked(text: str) -> str:
    """The text with what each secret is in its place; of a private key all of it."""
    text = _BLOCK_END.sub("[a private key]", _BLOCK.sub("[a private key]", text))
    for what, pattern in _SECRETS.items():
        text = pattern.sub(f"[{what}]", text)
    return text
