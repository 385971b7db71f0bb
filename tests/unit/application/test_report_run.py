from __future__ import annotations

from pathlib import Path

import pytest

from cesello.application.report_run import ReportRun
from cesello.domain.errors import DataError, StorageError
from cesello.domain.recorded_run import RecordedRun
from cesello.domain.run import RunManifest, RunStatus, RunSummary
from tests.fakes.run import FakeRunStore
from tests.recorded_runs import changed, tuned


class FakeRunReader:
    """Reads the same whatever the run."""

    def __init__(self, one: RecordedRun) -> None:
        self._one = one

    def read(self, run: RunSummary) -> RecordedRun:
        return self._one


def store() -> FakeRunStore:
    runs = FakeRunStore()
    run = runs.create("quick", "")
    run.write_manifest(
        RunManifest(run.id, "quick", "sft", RunStatus.COMPLETED, "2026-11-28", "", 0, {}, "a machine")
    )
    return runs


def test_a_run_is_found_read_and_reported() -> None:
    assert ReportRun(store(), FakeRunReader(tuned()))("quick").name == "quick"


def test_a_run_that_is_not_there_is_said() -> None:
    with pytest.raises(DataError) as refused:
        ReportRun(store(), FakeRunReader(tuned()))("other")
    assert refused.value.code == "D030"


def test_files_that_hold_anything_end_in_a_sentence() -> None:
    wrong = changed(tuned(), before={"graded": {"chat": {"score": 0.5, "rows": -9}}})
    with pytest.raises(StorageError) as refused:
        ReportRun(store(), FakeRunReader(wrong))("quick")
    assert refused.value.code == "I096"
    assert Path(str(refused.value.where)).name
