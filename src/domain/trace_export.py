"""What of a project's runs is given to other programs: no secret, and content only where it is asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from .genai_names import CONTENT, EVALUATION_LABEL
from .prompt_search import UNJUDGED
from .reward import Verdict
from .secret_text import Redact, redacted_value
from .trace import Event, Span, Value


class ColumnKind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    WHOLE = "whole"
    REAL = "real"


@dataclass(frozen=True, slots=True)
class Table:
    """A table and its rows, which can be read once."""

    name: str
    columns: Mapping[str, ColumnKind]
    rows: Iterator[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of spans.

    Attributes:
        spans: that were written, or that the other side took.
        rejected: that it did not take; ``reason``: what it said of them.
    """

    spans: int = 0
    rejected: int = 0
    reason: str = ""


_WRITTEN = {
    "runs": {"error"},
    "alarms": {"text"},
    "attempts": {"completion", "error"},
    "rewards": {"reason"},
    "spans": {"message"},
    "procedure_runs": {"request"},
}
"""Columns with what people and models wrote."""

_VERDICTS = frozenset({*Verdict, UNJUDGED})
"""Labels that are no text of somebody's."""

_OF_MANIFEST = ("error", "resumes")
"""Parts with sentences: what ended it, and what had changed in the recipe."""
_WORDED = re.compile(
    r"recipe (?:data\.(?:system_prompt|prompt)|apo\.(?:system|procedure|question|prompt|seed|values)\b.*"
    r"|rewards\[\d+\]\.(?:rubric|arguments\b.*)|algorithm_arguments\b.*"
    r"|training\.callbacks\[\d+\]\.arguments\b.*)"
)
"""Keys of a recipe that are texts of somebody's, or hold what only their owner knows."""

_JSON = {("spans", "attributes"), ("events", "attributes"), ("runs", "manifest")}


def exportable(span: Span, redact: Redact, *, content: bool) -> Span:
    """The span as it may leave."""
    return replace(
        span,
        name=redact(span.name),
        message=redact(span.message) if content else "",
        attributes=_attributes(span.attributes, redact, content),
        events=[
            Event(redact(one.name), one.at, _attributes(one.attributes, redact, content))
            for one in span.events
        ],
    )


def exportable_table(table: Table, redact: Redact, *, content: bool) -> Table:
    """The table with its rows as they may leave."""
    columns = list(table.columns)
    ways = [_way(table.name, column, redact, content) for column in columns]
    # The task of a search is an id; that of an agent, and the question of a training, are content.
    task = columns.index("task") if table.name == "rollouts" and not content else None
    origin = columns.index("origin") if task is not None else 0

    def rows() -> Iterator[Sequence[Any]]:
        for row in table.rows:
            made = [None if value is None else way(value) for way, value in zip(ways, row, strict=True)]
            if task is not None and row[origin] != "search":
                made[task] = None
            yield made

    return replace(table, rows=rows())


def _way(table: str, column: str, redact: Redact, content: bool) -> Callable[[Any], Any]:
    """What becomes of the values of a column."""
    if not content and column in _WRITTEN.get(table, ()):
        return _nothing
    if not content and (table, column) == ("rewards", "label"):
        return lambda label: label if label in _VERDICTS else None
    if not content and (table, column) == ("runs", "manifest"):
        return lambda text: json.dumps(
            redacted_value("", _without_words(json.loads(text)), redact), ensure_ascii=False
        )
    if (table, column) in _JSON:
        return lambda text: json.dumps(_attributes(json.loads(text), redact, content), ensure_ascii=False)
    return lambda value: redact(value) if isinstance(value, str) else value


def _attributes(values: Mapping[str, Value], redact: Redact, content: bool) -> dict[str, Value]:
    kept = values.items() if content else [one for one in values.items() if not _is_content(*one)]
    return {redact(name): redacted_value(name, value, redact) for name, value in kept}


def _is_content(name: str, value: Value) -> bool:
    return name in CONTENT or (name == EVALUATION_LABEL and value not in _VERDICTS)


def _without_words(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    kept = {key: value for key, value in manifest.items() if key not in _OF_MANIFEST}
    pinned = manifest.get("identity")
    if isinstance(pinned, Mapping):
        kept["identity"] = {key: value for key, value in pinned.items() if not _WORDED.fullmatch(str(key))}
    return kept


def _nothing(value: Any) -> None:
    return None
