"""Examples in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cesello.domain.conversation import Conversation
from cesello.domain.conversation_json import identity, reference_text
from cesello.domain.example import Example
from cesello.domain.tokens import TokenRow, fingerprint


@dataclass
class FakeExamples:
    """Examples in a list."""

    rows: Sequence[Example]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tokens = [row.tokens for row in self.rows]
        references = [reference_text(row.conversation) for row in self.rows]
        self.fingerprint: str = fingerprint(tokens, references)
        self.lengths: Sequence[int] = [len(row) for row in tokens]
        self.trained_tokens: Sequence[int] = [row.trained_tokens for row in tokens]
        self.identities: Sequence[int] = [identity(row.conversation) for row in self.rows]
        self.truncated: Sequence[int] = [row.truncated for row in tokens]

    def __len__(self) -> int:
        return len(self.rows)

    def tokens(self, index: int) -> TokenRow:
        return self.rows[index].tokens

    def example(self, index: int) -> Example:
        return self.rows[index]


@dataclass
class FakeExampleWriter:
    """Keeps what is committed under its key."""

    store: FakeExampleStore
    key: str | None
    rows: list[Example] = field(default_factory=list)

    def append(self, example: Example) -> None:
        self.rows.append(example)

    def commit(self, facts: Mapping[str, Any]) -> FakeExamples:
        made = FakeExamples(tuple(self.rows), dict(facts))
        if self.key is not None:
            self.store.kept[self.key] = made
        return made

    def discard(self) -> None:
        self.rows.clear()


@dataclass
class FakeSpool:
    """Places and conversations in a list."""

    rows: list[tuple[str, Conversation]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    def append(self, place: str, conversation: Conversation) -> None:
        self.rows.append((place, conversation))

    def __getitem__(self, index: int) -> tuple[str, Conversation]:
        return self.rows[index]

    def close(self) -> None:
        self.rows.clear()


@dataclass
class FakeExampleStore:
    """Keeps sets of examples as long as it lives itself."""

    kept: dict[str, FakeExamples] = field(default_factory=dict)

    def find(self, key: str) -> FakeExamples | None:
        return self.kept.get(key)

    def create(self, key: str | None) -> FakeExampleWriter:
        return FakeExampleWriter(self, key)

    def spool(self) -> FakeSpool:
        return FakeSpool()


class FakeNearCopies:
    """Texts are alike by the share of words they have in common."""

    def find(self, texts: Iterable[str], similarity: float) -> Iterator[tuple[int, int, float]]:
        seen: list[set[str]] = []
        for position, text in enumerate(texts):
            words = set(text.split())
            alike = [len(words & other) / max(len(words | other), 1) for other in seen]
            if alike and max(alike) >= similarity:
                yield position, alike.index(max(alike)), max(alike)
            seen.append(words)
