"""What spans are as rows of the tables, without secrets.

A rollout is told by the span that names its task, an attempt by the outermost span of its trace, and a reward
by an event ``gen_ai.evaluation.result`` within either.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...domain import genai_names as names
from ...domain.run import RunStatus
from ...domain.secret_text import Redact, redacted_value
from ...domain.trace import Span, SpanStatus, TracedRun, Value

Row = Sequence[Any]

COLUMNS = {
    "runs": "id, name, algorithm, status, started, finished, steps, planned_steps, seconds, error, path, "
    "manifest",
    "rollouts": "id, run, origin, task, status",
    "attempts": "rollout, number, trace_id, status, started, ended, error",
    "rewards": "rollout, attempt, name, value, label, reason",
    "spans": "trace_id, span_id, parent_id, run, rollout, attempt, sequence, name, kind, started, ended, "
    "status, message, attributes",
    "events": "trace_id, span_id, sequence, name, happened, attributes",
}
"""Of every table, in the order of the rows."""

_FIGURES = (int, float)

_as_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def is_rollout(span: Span) -> bool:
    """Whether it tells a rollout."""
    return span.attempt == 0 and names.TASK in span.attributes


def is_attempt(span: Span) -> bool:
    """Whether it tells an attempt."""
    return span.attempt > 0 and span.parent_id is None


class SpanRows:
    """Makes rows.

    Args:
        redact: takes secrets out of a text.
    """

    def __init__(self, redact: Redact) -> None:
        self._redact = redact

    def run(self, run: TracedRun) -> Row:
        error = None if run.error is None else self._text(run.error)
        return (
            run.id, self._text(run.name), "agent", run.status.value, run.started, run.finished, run.rollouts,
            0, run.seconds, error, "", "{}",
        )  # fmt: skip

    def span(self, span: Span) -> Row:
        return (
            span.trace_id, span.span_id, span.parent_id, span.run, span.rollout, span.attempt, span.sequence,
            self._text(span.name), str(span.kind), span.start, span.end, span.status.value,
            self._text(span.message), self._json(span.attributes),
        )  # fmt: skip

    def events(self, span: Span) -> Iterator[Row]:
        for number, one in enumerate(span.events):
            told = self._json(one.attributes)
            yield span.trace_id, span.span_id, number, self._text(one.name), one.at, told

    def rollout(self, span: Span) -> Row:
        task = self._text(str(span.attributes[names.TASK]))
        return span.rollout, span.run, "traced", task, _outcome(span)

    def attempt(self, span: Span) -> Row:
        error = self._text(span.message) or None
        return span.rollout, span.attempt, span.trace_id, _outcome(span), span.start, span.end, error

    def rewards(self, span: Span) -> Iterator[Row]:
        for one in span.events:
            told = one.attributes
            name = told.get(names.EVALUATION_NAME)
            if one.name == names.EVALUATION and name is not None:
                score = told.get(names.EVALUATION_SCORE)
                yield (
                    span.rollout,
                    told.get(names.ATTEMPT, span.attempt),
                    self._text(str(name)),
                    score if isinstance(score, float | int) else None,
                    self._told(told.get(names.EVALUATION_LABEL)),
                    self._told(told.get(names.EVALUATION_EXPLANATION)),
                )

    def _told(self, value: object) -> str | None:
        return None if value is None else self._text(str(value))

    def _text(self, text: str) -> str:
        """Halves of characters, which no database holds, become question marks."""
        if not text.isascii():
            text = text.encode("utf-8", "replace").decode()
        return self._redact(text) if text else text

    def _json(self, attributes: Mapping[str, Value]) -> str:
        if not attributes:
            return "{}"
        return _as_json({name: self._value(name, value) for name, value in attributes.items()})

    def _value(self, name: str, value: Value) -> Any:
        if isinstance(value, _FIGURES):
            return value
        return redacted_value(name, value, self._redact)


def _outcome(span: Span) -> str:
    return (RunStatus.FAILED if span.status is SpanStatus.ERROR else RunStatus.COMPLETED).value
