"""Traces: where spans go, and the database of a project's runs.

As in ``wiring``, each builder imports its adapter when it is called and is annotated with its port.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from ..domain.ports.run import Observer
from ..domain.ports.trace import SpanExporter, SpanSink, SpanTimes, TableExporter, TraceStore
from ..domain.tracer import NO_TRACER, Tracer
from .redaction import redact
from .workers import is_follower


def tracer(traces: bool, folder: str, observer: Observer) -> Tracer:
    """Of a training, into the database of its folder of runs; of several processes the first one traces."""
    if not traces or is_follower():
        return NO_TRACER
    return Tracer(span_sink(Path(folder), observer.note))


def span_sink(folder: Path, note: Callable[[str], None]) -> SpanSink:
    """Spans, into the database of a folder of runs; nothing is made before there is one."""
    from ..adapters.trace.queued_sink import QueuedSink
    from ..adapters.trace.run_database import FILE
    from ..adapters.trace.sqlite_spans import SqliteSpans

    return QueuedSink(SqliteSpans(folder / FILE, redact()), note)


def trace_store(folder: str, project: str = ".") -> TraceStore:
    """What is known of a folder of runs, and of the procedures of the project that it belongs to."""
    from ..adapters.run.folder_run_store import FolderRunStore
    from ..adapters.trace.run_database import FILE
    from ..adapters.trace.sqlite_trace_store import SqliteTraceStore
    from .procedure_wiring import procedure_log

    runs = FolderRunStore(Path(folder))
    return SqliteTraceStore(Path(folder, FILE), runs, procedure_log(project), redact())


def recorded_span_times() -> SpanTimes:
    """What spans say of the time of runs."""
    from ..adapters.trace.span_times import RecordedSpanTimes

    return RecordedSpanTimes()


def otlp_file(file: str, *, overwrite: bool) -> SpanExporter:
    """OTLP JSON lines."""
    from ..adapters.trace.otlp_file import OtlpFile

    return OtlpFile(Path(file), metadata.version("cesello"), overwrite=overwrite)


def otlp_http(endpoint: str, headers: str, *, plain: bool) -> SpanExporter:
    """A collector."""
    from ..adapters.trace.otlp_http import OtlpHttp

    return OtlpHttp(endpoint, metadata.version("cesello"), headers, plain=plain)


def parquet_tables(folder: str, *, overwrite: bool) -> TableExporter:
    """A file a table."""
    from ..adapters.trace.parquet_tables import ParquetTables

    return ParquetTables(Path(folder), overwrite=overwrite)
