"""A row as it is trained on: the conversation, its tokens, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass

from .conversation import Conversation
from .tokens import TokenRow


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a source, ready to be trained on or evaluated on.

    Attributes:
        place: where a person finds the row, for example ``data/chat.jsonl:17``.
    """

    place: str
    conversation: Conversation
    tokens: TokenRow
