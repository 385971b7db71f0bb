"""Runs are chosen, each with the curve that matters."""

from __future__ import annotations

from typing import Any

import pytest

from cesello.application.list_runs import ListRuns
from cesello.domain.run import RunManifest, RunStatus
from cesello.domain.run_figures import TriedPrompt
from tests.fakes.live_runs import FakeLiveRuns
from tests.fakes.run import FakeRunFolder, FakeRunStore, FixedClock
from tests.run_folders import metrics_line, rewarded_line


def add(store: FakeRunStore, name: str, status: str = "completed", algorithm: str = "sft") -> FakeRunFolder:
    run = store.create(name, "", run=f"{len(store.runs)}-{name}")
    run.write_manifest(
        RunManifest(
            id=run.id, name=name, algorithm=algorithm, status=RunStatus(status), started=FixedClock().now(),
            recipe_sha256="", seed=0, versions={}, machine="",
        )
    )  # fmt: skip
    return run


@pytest.fixture
def store() -> FakeRunStore:
    store = FakeRunStore()
    for name, status in (
        ("small", "completed"),
        ("small-2", "failed"),
        ("large", "interrupted"),
        ("small", "failed"),
    ):
        add(store, name, status)
    return store


@pytest.mark.parametrize(
    ("choice", "ids"),
    [
        ({}, ["3-small", "2-large", "1-small-2", "0-small"]),
        ({"limit": 2}, ["3-small", "2-large"]),
        ({"status": ["failed"]}, ["3-small", "1-small-2"]),
        ({"status": ["failed", "interrupted"], "limit": 2}, ["3-small", "2-large"]),
        ({"name": "small"}, ["3-small", "0-small"]),
        ({"name": "small*"}, ["3-small", "1-small-2", "0-small"]),
        ({"name": "2-*"}, ["2-large"]),
        ({"name": "none"}, []),
    ],
)
def test_runs_are_chosen(choice: dict[str, Any], ids: list[str], store: FakeRunStore) -> None:
    assert [run.id for run in ListRuns(store, FakeLiveRuns(store))(**choice)] == ids


def test_the_curve_that_matters_depends_on_what_was_trained() -> None:
    store = FakeRunStore()
    live = FakeLiveRuns(store)
    listing = ListRuns(store, live)
    tuned, rewarded, searched = (add(store, name, algorithm=name) for name in ("sft", "grpo", "apo"))
    add(store, "begun")
    for step in range(1, 301):
        tuned.append("metrics", metrics_line(step))
        rewarded.append("metrics", rewarded_line(step))
    live.searched[str(searched.path)] = [TriedPrompt(4, 0.5), TriedPrompt(4, 0.25)]
    seen = {run.name: listing.glimpse(run) for run in listing()}
    shown = {name: one and (one.kind.title, one.curve.last, one.step) for name, one in seen.items()}
    assert shown == {
        "sft": ("loss", 2.0 / 300, 300),
        "grpo": ("reward", 15.0, 300),
        "apo": ("best score", 0.5, 0),
        "begun": None,
    }
    assert all(one.curve.count <= 65 for one in seen.values() if one)
