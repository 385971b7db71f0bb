"""Spans in a file of OTLP JSON lines, as the collector's file exporter writes them.

Source: https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...domain.trace import Span
from ...domain.trace_export import Sent
from .export_files import check_free, whole_file
from .otlp_json import messages


class OtlpFile:
    """Implements ``SpanExporter``.

    Args:
        version: of this program.
        overwrite: a file that is there is replaced.
    """

    def __init__(self, file: Path, version: str, *, overwrite: bool = False) -> None:
        self._file = file
        self._version = version
        self._overwrite = overwrite

    def export(self, spans: Iterable[Span]) -> Sent:
        """See the port."""
        check_free(self._file, overwrite=self._overwrite)
        written = 0
        with whole_file(self._file) as partial, partial.open("w", encoding="utf-8", newline="\n") as opened:
            for message, count in messages(spans, self._version):
                opened.write(message + "\n")
                written += count
        return Sent(written)
