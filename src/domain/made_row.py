"""A row made from code or from a run: what it says, where it is from, and how it is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from .conversation import Conversation
from .conversation_json import to_json
from .errors import DataError
from .row_shapes import to_conversation
from .secret_text import redacted
from .source import SourceRow


@dataclass(frozen=True, slots=True)
class MadeRow:
    """One row.

    Attributes:
        kind: ``question``, ``span``, ``docstring``, ``code``, ``fill`` or ``run``.
        conversation: prompt, answer, and what a reward may know.
        origin: where it is from, for people and for checks.
        groups: what it tells something about; rows of one group stay on one side of a split.
        fact: what it tells, whatever the words: rows that ask the same have the same.
        variants: other words for what is asked.
        alike: digests of the code and the words that it is made of; what stands twice has the same.
    """

    kind: str
    conversation: Conversation
    origin: Mapping[str, Any]
    groups: frozenset[str] = frozenset()
    fact: str = ""
    variants: Sequence[str] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    alike: frozenset[str] = frozenset()

    @property
    def is_question(self) -> bool:
        """Whether it asks for a fact, in one of several wordings."""
        return self.kind in ("question", "span")

    def line(self) -> str:
        """The row as a line of JSON, which a source of kind ``file`` reads with no further settings."""
        parts = json.loads(to_json(replace(self.conversation, procedure=None)))
        row = {"messages": parts.pop("messages"), "kind": self.kind, **self.extra, **parts}
        row["from"] = dict(self.origin)
        if self.variants:
            row["variants"] = list(self.variants)
        text = json.dumps(row, ensure_ascii=False)
        try:
            text.encode()
        except UnicodeEncodeError:  # half a pair of surrogates, as the name of a file may have
            text = json.dumps(row)
        return text + "\n"

    def flaw(self) -> str | None:
        """Why it must not be written: no source would read it, or it has the form of a key or a password."""
        text = self.words()
        if redacted(text) != text:
            return "it may tell a secret"
        try:
            to_conversation(SourceRow("a row", json.loads(self.line())), "auto", {})
        except DataError:
            return "it cannot be read as a row"
        return None

    def answer(self) -> str:
        """What is to be answered, without the fence around it."""
        lines = self.conversation.messages[-1].content.split("\n")
        is_fenced = len(lines) > 2 and lines[0].startswith("```") and lines[-1] == "```"
        return "\n".join(lines[1:-1] if is_fenced else lines)

    def words(self) -> str:
        """What it says, to be compared with others."""
        return "\n".join(turn.content for turn in self.conversation.messages)


def drawn(seed: int, *parts: object) -> int:
    """A number of 64 bits that comes from the seed and the parts alone, in every process."""
    digest = sha256(json.dumps([seed, *parts], default=str).encode())
    return int.from_bytes(digest.digest()[:8], "big")
