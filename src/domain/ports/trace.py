"""Where spans go, and how what is known of a project's runs is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from ..run import RunSummary
from ..trace import Span, SpanTime, TracedRun
from ..trace_export import Sent, Table
from .run import Stop


class SpanSink(Protocol):
    """Takes spans that have ended. Whatever becomes of them, who recorded them neither waits nor fails."""

    def put(self, span: Span) -> None:
        """Takes one, or counts it as dropped where there is no room."""
        ...

    def tell(self, run: TracedRun) -> None:
        """Likewise how a run is that has no folder; called again when that changes."""
        ...

    def forget(self, run: str) -> None:
        """Removes what is kept of an earlier run of this id, before the spans that are put from now on."""
        ...

    def lose(self, spans: int) -> None:
        """Counts spans as dropped for which there was no room before they came here."""
        ...

    @property
    def dropped(self) -> int:
        """How many were not kept: there was no room, or the store failed."""
        ...

    def close(self) -> None:
        """Waits a few seconds at most until what was taken is kept."""
        ...


class TraceStore(Protocol):
    """All that is known of a project's runs: one database, whose tables can be asked with SQL."""

    def refresh(self) -> Sequence[str]:
        """Brings in what run folders, ledgers and procedure logs hold that is not in the tables yet.

        Returns:
            a sentence for every run that could not be read whole.

        Raises:
            StorageError: when the database cannot be written.
        """
        ...

    def query(
        self, sql: str, *, limit: int | None = None, seconds: float | None = None, stop: Stop | None = None
    ) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        """Names of the columns, and the rows, of one statement that reads.

        Args:
            limit: rows at most. seconds: after which it is given up. stop: asked again and again.

        Raises:
            UsageError: C160 for a statement that is wrong, C161 for one that would write, C162 for one that
                takes too long. Interrupted: by the stop. KeyboardInterrupt: by a signal, without one.
        """
        ...

    def tables(self, runs: Sequence[str] | None = None) -> Iterator[Table]:
        """Every table with what is known of these runs, or of all; one is read before the next."""
        ...

    def spans(self, run: str | None = None) -> Iterator[Span]:
        """Those of a run, or all, in the order in which they began."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Rows of every table."""
        ...


class SpanTimes(Protocol):
    """What the spans of a run say of its time."""

    def times(self, run: RunSummary) -> Sequence[SpanTime]:
        """By name; nothing where none were recorded, or where what was recorded cannot be read."""
        ...


class SpanExporter(Protocol):
    """Gives spans to other programs, in a form of the field."""

    def export(self, spans: Iterable[Span]) -> Sent:
        """All of them, in order.

        Raises:
            UsageError: C163 when something is in the way. StorageError: I093 when they cannot be written.
                RetryableError: T091 when nobody takes them. DataError: D062 when they are refused.
        """
        ...


class TableExporter(Protocol):
    """Gives whole tables to other programs."""

    def export(self, tables: Iterable[Table]) -> Mapping[str, int]:
        """All of them; how many rows each has.

        Raises:
            UsageError: C163 when something is in the way. StorageError: I093 when they cannot be written.
        """
        ...
