"""A source: a named dataset with a weight, and the rows it gives."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .row_slice import RowSlice


@dataclass(frozen=True, slots=True)
class Replay:
    """How the untouched base model answers a source's prompts, which are then trained on.

    Attributes:
        max_new_tokens: longest answer, in tokens.
        temperature: 0 takes the likeliest token every time.
    """

    max_new_tokens: int = 256
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """What is done with a source's rows, whatever technology reads them.

    Attributes:
        shape: the form of its rows, or ``auto`` to detect it (see ``row_shapes``).
        columns: standard column name -> the source's own.
        reference: what a reward may know of a row -> the source's own column that holds it.
        task: what its rows are, for a reward that chooses by it.
        slice: which of its rows are read at all; None for all of them.
        where: the row's own column -> the value it must have, or a list of them (see ``unwanted``).
        max_samples: use at most so many rows, a seeded sample of all of them.
        holdout: rows kept out of the training for evaluation.
        min_characters, max_characters: length of a conversation's text; others are dropped and counted.
        replay: the base model answers the rows' prompts; None where the rows bring their answers.
    """

    name: str
    weight: float = 1.0
    shape: str = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    reference: Mapping[str, str] = field(default_factory=dict)
    task: str | None = None
    slice: RowSlice | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    max_samples: int | None = None
    holdout: int = 24
    min_characters: int | None = None
    max_characters: int | None = None
    replay: Replay | None = None


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row as the source has it.

    Attributes:
        place: where a person finds it, for example ``data/chat.jsonl:17``.
    """

    place: str
    values: Mapping[str, Any]


def unwanted(values: Mapping[str, Any], where: Mapping[str, Any]) -> str | None:
    """Why a row is not wanted, in words that are the same for every such row; None when it is.

    Args:
        values: the row as the source has it.
        where: column -> the value it must have, or a list of those it may have.
    """
    for column, wanted in where.items():
        choices = wanted if isinstance(wanted, (list, tuple)) else (wanted,)
        if values.get(column) is None:
            return f"no {column}"
        if not any(_is(values[column], choice) for choice in choices):
            return f"{column} is not {' or '.join(map(_as_written, choices))}"
    return None


def _is(value: object, wanted: object) -> bool:
    """Equal and, unlike in Python, true is not 1; text may be a number's, as in CSV, where all is text."""
    if isinstance(value, str) and not isinstance(wanted, str):
        return value == _as_written(wanted)
    return isinstance(value, bool) == isinstance(wanted, bool) and value == wanted


def _as_written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def identity_of(*parts: object) -> str:
    """A short name for all that decides a source's rows: other parts, another name.

    Args:
        parts: plain data, as JSON has it.
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
