"""What the recorded spans of a run say of its time, read beside whoever writes them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from ...domain.errors import CeselloError
from ...domain.genai_names import DROPPED_SPANS, INPUT_TOKENS, OUTPUT_TOKENS
from ...domain.run import RunSummary
from ...domain.trace import SpanTime
from .run_database import FILE, read_only
from .run_index import run_name

_PATIENCE = 2.0
"""Seconds to wait for a process that writes: a report has the run's logs as well."""

_NAMES = 200
"""Of spans at most; the longest ones."""

_ALL = f"""
WITH
  its AS (SELECT span_id, parent_id, name, ended - started AS took, attributes FROM spans WHERE run = ?),
  told AS (SELECT parent_id, sum(took) AS took FROM its GROUP BY parent_id)
SELECT
  its.name, count(*), sum(max(0, its.took - coalesce(told.took, 0))) AS own,
  sum(json_extract(its.attributes, '$."{INPUT_TOKENS}"')),
  sum(json_extract(its.attributes, '$."{OUTPUT_TOKENS}"')),
  sum(json_extract(its.attributes, '$."{DROPPED_SPANS}"'))
FROM its LEFT JOIN told ON told.parent_id = its.span_id
GROUP BY its.name ORDER BY own DESC LIMIT {_NAMES}
"""
"""Spans within a span may be at the same time: it has no less than no time of its own."""


class RecordedSpanTimes:
    """Implements ``SpanTimes`` on the database beside the run's folder."""

    def times(self, run: RunSummary) -> Sequence[SpanTime]:
        """See the port."""
        folder = Path(run.path)
        file = folder.parent / FILE
        if not file.is_file():
            return ()
        try:
            with closing(read_only(file, timeout=_PATIENCE)) as connection:
                rows = connection.execute(_ALL, (run_name(folder),)).fetchall()
            return [
                SpanTime(str(name), count, own / 1e9, *(int(value or 0) for value in sums))
                for name, count, own, *sums in rows
            ]
        except (CeselloError, sqlite3.Error, ValueError, TypeError, OverflowError):
            return ()
