"""Spans as OTLP's JSON, which collectors and tracing programs read.

Sources: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding (ids are hexadecimal, enums are
numbers, names are lowerCamelCase) and https://protobuf.dev/programming-guides/json/ (64-bit numbers are
texts; so are NaN and Infinity).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from ...domain.genai_names import ATTEMPT, ROLLOUT, RUN, SEQUENCE
from ...domain.trace import Event, Span, SpanKind, SpanStatus, Value

_KINDS = {SpanKind.INTERNAL: 1, SpanKind.CLIENT: 3}
_STATUSES = {SpanStatus.UNSET: 0, SpanStatus.OK: 1, SpanStatus.ERROR: 2}

BATCH = 256
"""Spans of one message, unless they are long."""
_CHARACTERS = 1 << 21
"""Of one message, about: collectors take 4 MiB by default."""


def messages(spans: Iterable[Span], version: str) -> Iterator[tuple[str, int]]:
    """Messages on one line each, and how many spans they hold.

    A ``TracesData`` and an ``ExportTraceServiceRequest`` are written alike.

    Args:
        version: of this program.
    """
    held: list[str] = []
    size = 0
    for span in spans:
        text = _text(_span(span))
        if held and (len(held) == BATCH or size + len(text) > _CHARACTERS):
            yield _message(held, version), len(held)
            held, size = [], 0
        held.append(text)
        size += len(text)
    if held:
        yield _message(held, version), len(held)


def _message(spans: Sequence[str], version: str) -> str:
    resource = _text({"attributes": _pairs({"service.name": "cesello", "service.version": version})})
    scope = _text({"name": "cesello", "version": version})
    return (
        f'{{"resourceSpans":[{{"resource":{resource},"scopeSpans":[{{"scope":{scope},'
        f'"spans":[{",".join(spans)}]}}]}}]}}'
    )


def _span(span: Span) -> dict[str, Any]:
    places: dict[str, Value] = {RUN: span.run, ROLLOUT: span.rollout, ATTEMPT: span.attempt}
    told = {**span.attributes, **{name: value for name, value in places.items() if value}}
    told[SEQUENCE] = span.sequence
    made: dict[str, Any] = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "name": _whole(span.name),
        "kind": _KINDS[span.kind],
        "startTimeUnixNano": str(span.start),
        "endTimeUnixNano": str(span.end),
        "attributes": _pairs(told),
        "events": [_event(one) for one in span.events],
        "status": {"code": _STATUSES[span.status]},
    }
    if span.parent_id:
        made["parentSpanId"] = span.parent_id
    if span.message:
        made["status"]["message"] = _whole(span.message)
    return made


def _event(event: Event) -> dict[str, Any]:
    return {
        "timeUnixNano": str(event.at),
        "name": _whole(event.name),
        "attributes": _pairs(event.attributes),
    }


def _pairs(values: Mapping[str, Value]) -> list[dict[str, Any]]:
    return [{"key": _whole(name), "value": _value(value)} for name, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)} if -(1 << 63) <= value < 1 << 63 else {"stringValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value if isfinite(value) else _named(value)}
    if isinstance(value, str):
        return {"stringValue": _whole(value)}
    if isinstance(value, Mapping):
        return {"kvlistValue": {"values": _pairs(value)}}
    if isinstance(value, Iterable):
        return {"arrayValue": {"values": [_value(one) for one in value]}}
    return {}


def _named(value: float) -> str:
    if value != value:
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _whole(text: str) -> str:
    """Half a pair of surrogates is no text to protobuf."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
