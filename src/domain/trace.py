"""A trace: what a run did and when, as spans within spans.

A rollout is one try at a task, from the prompt to the reward. Where it failed and was begun anew it has
several attempts. A span is one thing done in it: an answer drawn, a tool called, a reward asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from .run import RunStatus

Value = str | bool | int | float | Sequence[str] | Sequence[bool] | Sequence[int] | Sequence[float]
"""What an attribute may be, as in OpenTelemetry."""


class SpanKind(StrEnum):
    """Where the work of a span was done."""

    INTERNAL = "internal"
    CLIENT = "client"
    """By another program, which was asked and waited for."""


class SpanStatus(StrEnum):
    """How it ended."""

    UNSET = "unset"
    OK = "ok"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened within a span.

    Attributes:
        at: nanoseconds since 1970, UTC.
    """

    name: str
    at: int
    attributes: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """One thing done; complete, since spans are recorded when they end.

    Attributes:
        trace_id: 32 hexadecimal digits, one for each attempt, and one for what a run does besides them.
        span_id: 16 hexadecimal digits; ``parent_id``: of the span around it, None for the outermost.
        start, end: nanoseconds since 1970, UTC.
        run: its id; empty: none.
        rollout: its id; empty: the span belongs to none. ``attempt``: its number, from 1; 0 outside rollouts.
        sequence: counts up within an attempt (outside rollouts within the process), in the order in which
            spans began, so that spans of the same instant keep their order.
        message: why it failed.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start: int
    end: int
    kind: SpanKind = SpanKind.INTERNAL
    status: SpanStatus = SpanStatus.UNSET
    message: str = ""
    attributes: Mapping[str, Value] = field(default_factory=dict)
    events: Sequence[Event] = ()
    run: str = ""
    rollout: str = ""
    attempt: int = 0
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class SpanTime:
    """All spans of a name in a run.

    Attributes:
        seconds: that they lasted together, without the spans within them.
        read, written: tokens.
        dropped: spans of the run that are known to be lost.
        outermost: seconds of those that are within no other span, with all that is within them.
    """

    name: str
    count: int
    seconds: float
    read: int = 0
    written: int = 0
    dropped: int = 0
    outermost: float = 0.0


@dataclass(frozen=True, slots=True)
class TracedRun:
    """A run of somebody's own agent: no folder is kept of it, only what was traced.

    Attributes:
        started, finished: ISO 8601, UTC.
        rollouts: that have begun.
    """

    id: str
    name: str
    status: RunStatus
    started: str
    finished: str | None = None
    seconds: float = 0.0
    rollouts: int = 0
    error: str | None = None
