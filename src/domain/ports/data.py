"""Where rows come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from ..conversation import Conversation
from ..example import Example
from ..source import SourceRow
from ..tokens import TokenRow


class DatasetSource(Protocol):
    """A dataset that can be read from its first row to its last, always in the same order."""

    @property
    def name(self) -> str:
        """What the recipe calls it."""
        ...

    @property
    def origin(self) -> str:
        """Where it comes from, with its version, for the manifest."""
        ...

    @property
    def identity(self) -> str | None:
        """What decides its rows, told without reading them and alike in every process.

        While it stays the same, so do the rows. None where nothing cheap can tell: a function of somebody's
        own, a dataset of the hub whose commit is not given.

        Raises:
            DataError: D001 missing.
        """
        ...

    def rows(self) -> Iterator[SourceRow]:
        """Every row; there can be none.

        Raises:
            DataError: D001 missing, D003 unreadable, naming file and line.
        """
        ...


class Examples(Protocol):
    """Rows ready for training, outside of memory; any of them can be read at any time.

    Attributes:
        facts: what the writer wanted to be remembered.
        fingerprint: a sha256 over tokens and masks of all rows, in order.
        lengths, trained_tokens, identities, truncated: of every row, in order; see ``TokenRow`` and
            ``conversation_json.identity``.
    """

    facts: Mapping[str, Any]
    fingerprint: str
    lengths: Sequence[int]
    trained_tokens: Sequence[int]
    identities: Sequence[int]
    truncated: Sequence[int]

    def __len__(self) -> int: ...

    def tokens(self, index: int) -> TokenRow:
        """The tokens of a row, which is all that training needs."""
        ...

    def example(self, index: int) -> Example:
        """A row with its conversation and its place."""
        ...


class ExampleWriter(Protocol):
    """Examples on their way to be kept; nobody sees them before they are committed."""

    def append(self, example: Example) -> None:
        """Adds a row.

        Raises:
            RetryableError: T075 when the disk is full. StorageError: I004 when it cannot be written.
        """
        ...

    def commit(self, facts: Mapping[str, Any]) -> Examples:
        """Everything that was added, whole; the same errors."""
        ...

    def discard(self) -> None:
        """Forgets it all."""
        ...


class Spool(Protocol):
    """Places and conversations outside of memory, in the order they came."""

    def __len__(self) -> int: ...

    def append(self, place: str, conversation: Conversation) -> None:
        """Adds one; the errors of ``ExampleWriter.append``."""
        ...

    def __getitem__(self, index: int) -> tuple[str, Conversation]: ...

    def close(self) -> None:
        """Forgets it all."""
        ...


class ExampleStore(Protocol):
    """Where examples are kept, so that the same source is not tokenised twice."""

    def find(self, key: str) -> Examples | None:
        """The set committed under a key, or None."""
        ...

    def create(self, key: str | None) -> ExampleWriter:
        """A new set; without a key it lasts as long as somebody holds it."""
        ...

    def spool(self) -> Spool:
        """A new, empty one."""
        ...


class NearCopies(Protocol):
    """Finds texts that say nearly the same."""

    def find(self, texts: Iterable[str], similarity: float) -> Iterator[tuple[int, int, float]]:
        """Every text that is like an earlier one.

        Args:
            similarity: share of common word groups (Jaccard), in (0, 1], from which a text counts as a copy.

        Yields:
            (position of the text, position of the earlier one, estimated similarity), by position.
        """
        ...
