"""Give what is known of runs to other programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from ..domain.errors import DataError
from ..domain.ports.trace import SpanExporter, TableExporter, TraceStore
from ..domain.secret_text import Redact
from ..domain.trace import Span
from ..domain.trace_export import Sent, exportable, exportable_table


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What is exported.

    Attributes:
        runs: ids, names, folders or ``latest``; none: all that is known.
        content: with prompts, completions, arguments and messages.
    """

    runs: Sequence[str] = ()
    content: bool = False


class ExportTraces:
    """Spans or tables.

    Args:
        store: is asked as it is; who calls has refreshed it.
        redact: takes secrets out, whether or not content is left in.
    """

    def __init__(self, store: TraceStore, redact: Redact) -> None:
        self._store = store
        self._redact = redact

    def spans(self, request: ExportRequest, exporter: SpanExporter) -> Sent:
        """Every span of these runs.

        Raises:
            DataError: D030 when a run is not known. CeselloError: those of the exporter.
        """
        runs = self._found(request.runs)
        return exporter.export(self._spans(runs, request.content))

    def tables(self, request: ExportRequest, exporter: TableExporter) -> Mapping[str, int]:
        """Every table, with the rows of these runs.

        Raises:
            DataError: D030 when a run is not known. CeselloError: those of the exporter.
        """
        runs = self._found(request.runs)
        return exporter.export(
            exportable_table(table, self._redact, content=request.content)
            for table in self._store.tables(runs)
        )

    def _spans(self, runs: Sequence[str] | None, content: bool) -> Iterator[Span]:
        for run in [None] if runs is None else runs:
            for span in self._store.spans(run):
                yield exportable(span, self._redact, content=content)

    def _found(self, names: Sequence[str]) -> Sequence[str] | None:
        if not names:
            return None
        rows = self._store.query("SELECT id, name FROM runs ORDER BY started DESC, id DESC")[1]
        return list(dict.fromkeys(_id(name, rows) for name in names))


def _id(wanted: str, rows: Sequence[Sequence[str]]) -> str:
    for run, _ in rows:
        if run == wanted or wanted == "latest":
            return run
    for run, name in rows:
        if name == wanted or run == PurePath(wanted).name:
            return run
    known = ", ".join(run for run, _ in rows[:5]) or "none yet"
    raise DataError(
        "D030", f'there is no run "{wanted}"', expected=f"one of: {known}", fix="see `cesello runs list`"
    )
