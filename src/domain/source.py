"""A source: a named dataset with a weight, and the rows it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """What is done with a source's rows, whatever technology reads them.

    Attributes:
        shape: the form of its rows, or ``auto`` to detect it (see ``row_shapes``).
        columns: standard column name -> the source's own.
        max_samples: use at most so many rows, a seeded sample of all of them.
        holdout: rows kept out of the training for evaluation.
        min_characters, max_characters: length of a conversation's text; others are dropped and counted.
    """

    name: str
    weight: float = 1.0
    shape: str = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    max_samples: int | None = None
    holdout: int = 24
    min_characters: int | None = None
    max_characters: int | None = None


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row as the source has it.

    Attributes:
        place: where a person finds it, for example ``data/chat.jsonl:17``.
    """

    place: str
    values: Mapping[str, Any]
