"""What makes the spans of a run.

with tracer.opened("train"):            # until it ends, whatever calls span() is within it
    tracer.begin("20260801-101500-mine")
    with span("checkpoint"):            # anywhere, in any file
        ...
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Final

from . import genai_names as names
from .attribute_values import as_told, plain_attributes
from .open_span import NOTHING, Branch, OpenSpan, innermost, new_id, outermost, reward_attributes, span
from .ports.trace import SpanSink
from .trace import Event, Span, SpanKind, SpanStatus, Value

HELD_AT_MOST = 65_536
"""Spans that are kept until their run has an id. Further ones are dropped, but for a last few that are not
within another than the outermost one: they end after all that is in them, and tell where the time went."""
PHASES_AT_MOST = 1024
"""Of the latter."""


class Tracer:
    """Makes the spans of one run.

    Times are those of the wall clock when the run was opened, counted on by a clock that never goes back.

    Args:
        sink: takes them; closed when the outermost span ends.
        run: its id; empty: not known yet, and spans wait until it is.
    """

    def __init__(self, sink: SpanSink, run: str = "") -> None:
        self._sink = sink
        self._given = run
        self._anew()

    def _anew(self) -> None:
        self.run = self._given
        self._anchor = time.time_ns() - time.perf_counter_ns()
        self._held: list[Span] | None = None if self.run else []
        self._phases: list[Span] = []
        self._root = ""
        self._lost, self._dropped = 0, self._sink.dropped
        self._branch = Branch(self, new_id(32), count(1).__next__)

    def now(self) -> int:
        """Nanoseconds since 1970, UTC."""
        return self._anchor + time.perf_counter_ns()

    def put(self, span: Span) -> None:
        """Takes a span that has ended."""
        if self._held is None:
            self._sink.put(span)
        elif span.parent_id == self._root and len(self._phases) < PHASES_AT_MOST:
            self._phases.append(span)
        elif len(self._held) < HELD_AT_MOST:
            self._held.append(span)
        else:
            self._lost += 1

    def begin(self, run: str, *, anew: bool = False) -> None:
        """Tells the id of the run, which the spans before it get as well.

        Args:
            anew: what is kept of an earlier run of this id is removed.
        """
        self.run = run
        if anew:
            self._sink.forget(run)
        held, self._held = [*self._phases, *(self._held or ())], None
        for one in held:
            self._sink.put(replace(one, run=run))
        if self._lost:
            self._sink.lose(self._lost)
        self._phases, self._lost = [], 0

    @contextmanager
    def opened(self, name: str, attributes: Mapping[str, Value] | None = None) -> Iterator[OpenSpan]:
        """The outermost span of a run: all that is traced before it ends is within it.

        Then the sink is closed. Where the run has not begun by then, nothing is kept.
        """
        self._anew()
        root = OpenSpan(self._branch, name, attributes)
        with outermost(root):
            try:
                with root:
                    self._root = root.span_id
                    try:
                        yield root
                    finally:
                        if dropped := self._sink.dropped - self._dropped:
                            root.set(names.DROPPED_SPANS, dropped)
            finally:
                self._sink.close()

    def span(
        self, name: str, attributes: Mapping[str, Value] | None = None, kind: SpanKind = SpanKind.INTERNAL
    ) -> OpenSpan:
        """As ``span``, for this run whatever else is traced."""
        above = self._above()
        if above is None:
            return OpenSpan(self._branch, name, attributes, kind)
        return OpenSpan(above.branch, name, attributes, kind, above.span_id)

    def record(
        self,
        name: str,
        start: int,
        end: int,
        attributes: Mapping[str, Value] | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        events: Sequence[Event] = (),
    ) -> None:
        """A span whose times, as ``now`` tells them, are known afterwards."""
        made = self.span(name, attributes, kind)
        made.begin()
        branch = made.branch or self._branch
        its = Span(
            branch.trace_id, made.span_id, made.parent_id, name, start, max(start, end), kind,
            attributes=plain_attributes(made.attributes), events=tuple(events), run=self.run,
            rollout=branch.rollout, attempt=branch.attempt, sequence=made.sequence,
        )  # fmt: skip
        self.put(its)

    def event(self, name: str, attributes: Mapping[str, Value] | None = None) -> None:
        """As ``event``, where the innermost span is of this run."""
        (self._above() or NOTHING).event(name, attributes)

    def reward(
        self, name: str, score: float | None, label: str | None = None, explanation: str | None = None
    ) -> None:
        """As ``reward``, where the innermost span is of this run."""
        (self._above() or NOTHING).reward(name, score, label, explanation)

    def rollout(self, task: str, attributes: Mapping[str, Value] | None = None) -> OpenRollout:
        """One try at a task, to be entered with ``with``.

        Args:
            task: what is tried, in few words; the same text for the same task.
        """
        above = self._above()
        branch = Branch(self, self._branch.trace_id, self._branch.number, new_id(16))
        told = as_told(attributes) | {names.TASK: task}
        return OpenRollout(branch, "rollout", told, parent_id=above.span_id if above else None)

    def _above(self) -> OpenSpan | None:
        above = innermost()
        return above if above is not None and above.branch and above.branch.recorder is self else None


class OpenRollout(OpenSpan):
    """One try at a task that has not ended; it has failed when its last attempt has."""

    __slots__ = ("_last", "attempts")

    def __init__(
        self,
        branch: Branch | None,
        name: str,
        attributes: Mapping[str, Value] | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        parent_id: str | None = None,
    ) -> None:
        super().__init__(branch, name, attributes, kind, parent_id)
        self.attempts = 0
        self._last: OpenSpan | None = None

    def attempt(self, attributes: Mapping[str, Value] | None = None) -> OpenSpan:
        """The next attempt, to be entered with ``with``: a trace of its own."""
        if self.branch is None:
            return NOTHING
        self.attempts += 1
        its = self.branch
        branch = Branch(its.recorder, new_id(32), count(1).__next__, its.rollout, self.attempts)
        self._last = OpenSpan(branch, "attempt", attributes)
        return self._last

    def reward(
        self, name: str, score: float | None, label: str | None = None, explanation: str | None = None
    ) -> None:
        """Of the last attempt, when it has ended."""
        if self.branch is not None:
            told = reward_attributes(name, score, label, explanation)
            self.event(names.EVALUATION, told | {names.ATTEMPT: self.attempts})

    def end(self) -> None:
        last = self._last
        if self.status is SpanStatus.UNSET and last is not None and last.status is SpanStatus.ERROR:
            self.status, self.message = last.status, last.message
        super().end()


class _NoTracer(Tracer):
    """Makes no spans, and leaves alone what somebody else traces."""

    def __init__(self) -> None:
        self.run = ""

    def begin(self, run: str, *, anew: bool = False) -> None:
        return

    @contextmanager
    def opened(self, name: str, attributes: Mapping[str, Value] | None = None) -> Iterator[OpenSpan]:
        with span(name, attributes) as its:
            yield its

    def span(
        self, name: str, attributes: Mapping[str, Value] | None = None, kind: SpanKind = SpanKind.INTERNAL
    ) -> OpenSpan:
        return NOTHING

    def record(self, *_: object, **__: object) -> None:
        return

    def event(self, *_: object, **__: object) -> None:
        return

    def reward(self, *_: object, **__: object) -> None:
        return

    def rollout(self, task: str, attributes: Mapping[str, Value] | None = None) -> OpenRollout:
        return NO_ROLLOUT


NO_ROLLOUT: Final[OpenRollout] = OpenRollout(None, "")
NO_TRACER: Final[Tracer] = _NoTracer()
