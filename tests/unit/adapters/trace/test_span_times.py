"""What recorded spans say of a run's time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cesello.adapters.trace.run_database import FILE
from cesello.adapters.trace.span_times import RecordedSpanTimes
from cesello.adapters.trace.sqlite_spans import SqliteSpans
from cesello.domain.genai_names import INPUT_TOKENS, OUTPUT_TOKENS
from cesello.domain.run import RunStatus, RunSummary
from cesello.domain.trace import Span, SpanTime

SECOND = 1_000_000_000


def run(folder: Path) -> RunSummary:
    return RunSummary(folder.name, "r", RunStatus.COMPLETED, "", None, 1, 1, str(folder))


def span(
    id: str, parent: str | None, name: str, start: float, end: float, run: str = "one", **more: int
) -> Span:
    named = {"read": INPUT_TOKENS, "written": OUTPUT_TOKENS}
    attributes = {named[key]: value for key, value in more.items()}
    return Span(
        "a" * 32, id * 16, parent and parent * 16, name, int(start * SECOND), int(end * SECOND),
        attributes=attributes, run=run,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = SqliteSpans(tmp_path / FILE, str)
    store.write([
        span("1", None, "train", 0, 10),
        span("2", "1", "chat tiny", 1, 4, read=50, written=7),
        span("3", "1", "chat tiny", 4, 6, read=20, written=3),
        span("4", "1", "draw", 6, 8),
        span("5", "4", "execute_tool add", 6, 8),  # two at once: what is around them has no time of its own
        span("6", "4", "execute_tool add", 6, 8),
        span("7", None, "train", 0, 99, run="another"),
    ])  # fmt: skip
    store.close()
    return tmp_path


def test_spans_are_counted_without_those_within(folder: Path) -> None:
    assert RecordedSpanTimes().times(run(folder / "one")) == [
        SpanTime("chat tiny", 2, 5.0, 70, 10),
        SpanTime("execute_tool add", 2, 4.0),
        SpanTime("train", 1, 3.0, outermost=10.0),
        SpanTime("draw", 1, 0.0),
    ]


def test_a_process_that_was_killed_has_no_outermost_span(tmp_path: Path) -> None:
    store = SqliteSpans(tmp_path / FILE, str)
    store.write(
        [span("2", "1", "draw", 1, 4), span("3", "2", "chat tiny", 1, 3), span("4", None, "train", 9, 12)]
    )
    store.close()
    its = {one.name: one.outermost for one in RecordedSpanTimes().times(run(tmp_path / "one"))}
    assert its == {"draw": 3.0, "chat tiny": 0.0, "train": 3.0}


def test_a_run_that_was_not_traced_has_none(folder: Path, tmp_path: Path) -> None:
    assert RecordedSpanTimes().times(run(folder / "a third")) == []
    before = sorted(tmp_path.iterdir())
    assert RecordedSpanTimes().times(run(tmp_path / "elsewhere" / "one")) == ()
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\x00" + b"\xff" * 2_000])
def test_a_damaged_database_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert RecordedSpanTimes().times(run(tmp_path / "one")) == ()


@pytest.mark.parametrize(
    ("started", "finished", "spans"),
    [
        ("1970-01-01T00:00:00+00:00", "1970-01-01T00:00:10+00:00", 4),
        ("1970-01-01T00:00:00+00:00", None, 4),
        ("", None, 4),
        ("1970-01-01T00:00:05+00:00", "1970-01-01T00:00:10+00:00", 4),  # prepared before, in the same trace
        ("1970-01-01T00:01:00+00:00", None, 0),
        ("1969-12-31T23:00:00+00:00", "1969-12-31T23:59:00+00:00", 0),
    ],
)
def test_a_namesakes_spans_are_of_another_time(
    started: str, finished: str | None, spans: int, folder: Path
) -> None:
    """A folder that was moved beside the database of another project."""
    one = replace(run(folder / "one"), started=started, manifest={"finished": finished})
    assert len(RecordedSpanTimes().times(one)) == spans
