"""Spans that have not ended, made wherever something takes time, for next to nothing where nobody traces.

    with span("checkpoint") as its:
        its.set("bytes", 123)

Which span is the innermost is kept in a context variable: tasks of asyncio have their own, and a thread that
was begun without its maker's context belongs to the outermost span that was opened last. Nothing here raises
on account of what it is told, and nothing is drawn from generators that a training seeds.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from threading import Lock
from types import TracebackType
from typing import Final, Protocol, Self

from . import genai_names as names
from .attribute_values import as_told, plain_attributes, plain_score, said
from .trace import Event, Span, SpanKind, SpanStatus, Value

EVENTS_AT_MOST = 1024
"""Of one span; further ones are counted in its attribute ``cesello.dropped_events``."""

_ids = random.Random()
os.register_at_fork(after_in_child=_ids.seed)  # else both processes would draw the same


def new_id(digits: int) -> str:
    """So many hexadecimal digits by chance; never all zero, as OpenTelemetry demands."""
    return f"{_ids.getrandbits(4 * digits) or 1:0{digits}x}"


class Recorder(Protocol):
    """Takes the spans of a run.

    Attributes:
        run: its id.
    """

    run: str

    def now(self) -> int:
        """Nanoseconds since 1970, UTC."""
        ...

    def put(self, span: Span) -> None:
        """Takes one that has ended."""
        ...


class Branch:
    """What the spans of one trace have in common: an attempt's, or those of a run outside of attempts."""

    __slots__ = ("attempt", "number", "recorder", "rollout", "trace_id")

    def __init__(
        self,
        recorder: Recorder,
        trace_id: str,
        number: Callable[[], int],
        rollout: str = "",
        attempt: int = 0,
    ) -> None:
        self.recorder, self.trace_id, self.number = recorder, trace_id, number
        self.rollout, self.attempt = rollout, attempt


class OpenSpan:
    """A span that has not ended; a context manager, which marks it failed where an exception leaves it.

    Attributes:
        branch: None: nobody traces, and all that it is told is forgotten.
    """

    __slots__ = (
        "_events", "_lost", "_token", "attributes", "branch", "kind", "message", "name", "parent_id",
        "sequence", "span_id", "start", "status",
    )  # fmt: skip

    def __init__(
        self,
        branch: Branch | None,
        name: str,
        attributes: Mapping[str, Value] | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        parent_id: str | None = None,
    ) -> None:
        self.branch, self.kind, self.parent_id = branch, kind, parent_id
        self.name = name if type(name) is str else said(name)
        self.attributes: dict[str, Value] = as_told(attributes)
        self.span_id = ""
        self.start = self.sequence = self._lost = 0
        self.status, self.message = SpanStatus.UNSET, ""
        self._events: list[Event] = []
        self._token: Token[OpenSpan | None] | None = None

    @property
    def recording(self) -> bool:
        """Whether anybody traces; else nothing needs to be gathered for it."""
        return self.branch is not None

    def set(self, name: str, value: Value) -> None:
        """Gives it an attribute."""
        if self.branch is not None:
            self.attributes[name if type(name) is str else said(name)] = value

    def event(self, name: str, attributes: Mapping[str, Value] | None = None) -> None:
        """Tells of something that happens now."""
        if self.branch is None:
            return
        if len(self._events) >= EVENTS_AT_MOST:
            self._lost += 1
            return
        called = name if type(name) is str else said(name)
        self._events.append(Event(called, self.branch.recorder.now(), plain_attributes(as_told(attributes))))

    def reward(
        self, name: str, score: float | None, label: str | None = None, explanation: str | None = None
    ) -> None:
        """Tells what came of it, as an event ``gen_ai.evaluation.result``."""
        if self.branch is not None:
            self.event(names.EVALUATION, reward_attributes(name, score, label, explanation))

    def fail(self, error: BaseException) -> None:
        """Marks it failed."""
        if self.branch is None:
            return
        kind, text = type(error).__name__, said(error)
        self.status, self.message = SpanStatus.ERROR, f"{kind}: {text}" if text else kind
        self.attributes[names.ERROR_TYPE] = kind
        self.event(names.EXCEPTION, {names.EXCEPTION_TYPE: kind, names.EXCEPTION_MESSAGE: text})

    def begin(self) -> None:
        """Without making it the innermost."""
        if self.branch is not None:
            self.span_id = new_id(16)
            self.sequence = self.branch.number()
            self.start = self.branch.recorder.now()

    def end(self) -> None:
        """Records it."""
        branch = self.branch
        if branch is None:
            return
        if self._lost:
            self.attributes[names.DROPPED_EVENTS] = self._lost
        recorder = branch.recorder
        its = Span(
            branch.trace_id, self.span_id, self.parent_id, self.name, self.start, recorder.now(), self.kind,
            self.status, self.message, plain_attributes(self.attributes), self._events, recorder.run,
            branch.rollout, branch.attempt, self.sequence,
        )  # fmt: skip
        recorder.put(its)

    def __enter__(self) -> Self:
        if self.branch is not None:
            self.begin()
            self._token = _innermost.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        put_back(self._token)
        if error is not None and not isinstance(error, GeneratorExit):
            self.fail(error)
        self.end()


NOTHING: Final[OpenSpan] = OpenSpan(None, "")
"""What is told where nobody traces."""
_innermost: ContextVar[OpenSpan | None] = ContextVar("innermost span", default=None)
_outermost: tuple[OpenSpan, ...] = ()
_opening = Lock()


def put_back(token: Token[OpenSpan | None] | None) -> None:
    """What was the innermost span is so again, unless that was elsewhere."""
    if token is not None:
        try:
            _innermost.reset(token)
        except ValueError:  # a generator that began in another context than it is closed in
            return


def inside(span: OpenSpan | None) -> Token[OpenSpan | None]:
    """Makes it the innermost one, until that is ``put_back``."""
    return _innermost.set(span)


def innermost() -> OpenSpan | None:
    """The span that others would be within; None: nobody traces."""
    found = _innermost.get()
    if found is None and (opened := _outermost):
        return opened[-1]
    return found


def span(
    name: str, attributes: Mapping[str, Value] | None = None, kind: SpanKind = SpanKind.INTERNAL
) -> OpenSpan:
    """A span within the innermost one, to be entered with ``with``; nothing where nobody traces."""
    above = innermost()
    if above is None:
        return NOTHING
    return OpenSpan(above.branch, name, attributes, kind, above.span_id)


def annotate(attributes: Mapping[str, Value]) -> None:
    """Gives the innermost span attributes."""
    above = innermost()
    if above is not None and above.recording:
        above.attributes |= as_told(attributes)


def event(name: str, attributes: Mapping[str, Value] | None = None) -> None:
    """Tells the innermost span of something that happens now."""
    (innermost() or NOTHING).event(name, attributes)


def reward(name: str, score: float | None, label: str | None = None, explanation: str | None = None) -> None:
    """Tells the innermost span what came of it.

    Args:
        score: None: it does not apply.
    """
    (innermost() or NOTHING).reward(name, score, label, explanation)


def reward_attributes(
    name: str, score: float | None, label: str | None = None, explanation: str | None = None
) -> dict[str, Value]:
    """Of the event ``gen_ai.evaluation.result``."""
    told: dict[str, Value] = {names.EVALUATION_NAME: name}
    if score is not None:
        told[names.EVALUATION_SCORE] = plain_score(score)
    if label is not None:
        told[names.EVALUATION_LABEL] = label
    if explanation is not None:
        told[names.EVALUATION_EXPLANATION] = explanation
    return told


@contextmanager
def outermost(root: OpenSpan) -> Iterator[None]:
    """What is within no span elsewhere, in a new thread for example, is within this one."""
    global _outermost
    with _opening:
        _outermost = (*_outermost, root)
    try:
        yield
    finally:
        with _opening:
            _outermost = tuple(one for one in _outermost if one is not root)
