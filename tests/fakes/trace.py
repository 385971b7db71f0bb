"""A sink that keeps everything."""

from __future__ import annotations

from cesello.domain.trace import Span, TracedRun


class FakeSpanSink:
    """A fake ``SpanSink``."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.runs: list[TracedRun] = []
        self.forgotten: list[str] = []
        self.closed = 0
        self.dropped = 0

    def put(self, span: Span) -> None:
        self.spans.append(span)

    def tell(self, run: TracedRun) -> None:
        self.runs.append(run)

    def forget(self, run: str) -> None:
        self.forgotten.append(run)

    def lose(self, spans: int) -> None:
        self.dropped += spans

    def close(self) -> None:
        self.closed += 1

    def named(self, name: str) -> list[Span]:
        """In the order in which they ended."""
        return [one for one in self.spans if one.name == name]

    def above(self, span: Span) -> Span | None:
        """The span around it."""
        found = [one for one in self.spans if one.span_id == span.parent_id]
        return found[0] if found else None
