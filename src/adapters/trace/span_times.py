"""What the recorded spans of a run say of its time, read beside whoever writes them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from ...domain.errors import CeselloError
from ...domain.genai_names import DROPPED_SPANS, INPUT_TOKENS, OUTPUT_TOKENS
from ...domain.run import RunStatus, RunSummary
from ...domain.trace import SpanTime
from .run_database import FILE, read_only
from .run_index import run_name

_PATIENCE = 2.0
"""Seconds to wait for a process that writes: a report has the run's logs as well."""

_NAMES = 200
"""Of spans at most; the longest ones."""

_SECOND = 1_000_000_000
_EVER = (1 << 63) - 1

_SPAN = """
SELECT min(first), max(last) FROM (
  SELECT min(started) AS first, max(started) AS last, max(ended) AS over FROM spans
  WHERE run = ? GROUP BY trace_id
) WHERE over >= ? AND first <= ?
"""
"""From the first to the last beginning of a span, in traces that were going on while the run was."""

_ALL = f"""
WITH
  its AS (
    SELECT span_id, parent_id, name, ended - started AS took, attributes FROM spans
    WHERE run = ? AND started BETWEEN ? AND ?
  ),
  told AS (
    SELECT span_id AS id, name, took, attributes,
      CASE WHEN parent_id IN (SELECT span_id FROM its) THEN 0 ELSE took END AS outermost FROM its
    UNION ALL SELECT parent_id, NULL, -took, NULL, 0 FROM its WHERE parent_id IS NOT NULL
  ),
  each AS (
    SELECT max(name) AS name, max(0, sum(took)) AS own, max(attributes) AS attributes,
      sum(outermost) AS outermost FROM told
    GROUP BY id HAVING max(name) IS NOT NULL
  )
SELECT
  name, count(*), sum(own) AS own,
  sum(json_extract(attributes, '$."{INPUT_TOKENS}"')),
  sum(json_extract(attributes, '$."{OUTPUT_TOKENS}"')),
  sum(json_extract(attributes, '$."{DROPPED_SPANS}"')),
  sum(outermost)
FROM each GROUP BY name ORDER BY own DESC LIMIT {_NAMES}
"""
"""Spans within a span may be at the same time: it has no less than no time of its own. What they took is
added to it as less than nothing, not joined: SQLite may join without an index, in the square of the spans.
The outermost span of a process that was killed is not written: those within it are the outermost ones."""


class RecordedSpanTimes:
    """Implements ``SpanTimes`` on the database beside the run's folder."""

    def times(self, run: RunSummary) -> Sequence[SpanTime]:
        """See the port."""
        folder = Path(run.path)
        file = folder.parent / FILE
        if not file.is_file():
            return ()
        try:
            name = run_name(folder)
            with closing(read_only(file, timeout=_PATIENCE)) as connection:
                between = connection.execute(_SPAN, (name, *_between(run))).fetchone()
                rows = connection.execute(_ALL, (name, *between)).fetchall()
            return [
                SpanTime(
                    str(name),
                    count,
                    own / 1e9,
                    int(read or 0),
                    int(written or 0),
                    int(dropped or 0),
                    outer / 1e9,
                )
                for name, count, own, read, written, dropped, outer in rows
            ]
        except (CeselloError, sqlite3.Error, ValueError, TypeError, OverflowError):
            return ()


def _between(run: RunSummary) -> tuple[int, int]:
    """When a run was, in ns: a folder that was moved here may have a namesake's spans beside it.

    Its data were prepared before it began, in the same trace.
    """
    begun = _instant(run.started)
    ended = _instant(str(run.manifest.get("finished") or ""))
    if ended is None or run.status is RunStatus.RUNNING:
        return begun or 0, _EVER
    return begun or 0, ended + _SECOND


def _instant(said: str) -> int | None:
    """None where it is none; manifests tell whole seconds."""
    try:
        at = datetime.fromisoformat(said)
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()) * _SECOND
    except (ValueError, OverflowError):
        return None
