"""A manifest against what lies beside it, also where it holds what no manifest of ours does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cesello.domain.checkpoint import CheckpointState
from cesello.domain.mixture_manifest import MixtureManifest, SourceManifest
from cesello.domain.run import RunStatus
from cesello.domain.run_checks import (
    checkpoints_check,
    data_check,
    figures_check,
    files_check,
    sealed_changes,
    search_changes,
    status_check,
    weights_check,
)
from cesello.domain.run_verification import Part, StoredCheckpoint

LOSSES = {"rows": {"rows": 4, "tokens": 8, "loss": 1.25}}
MANIFEST: dict[str, Any] = {
    "steps": 2,
    "final_loss": 1.5,
    "identity": {"data": "d"},
    "before": {"losses": LOSSES, "graded": {}, "samples": []},
    "after": None,
}
METRICS = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.5}]
EVALUATIONS = [{"step": 0, "when": "before", "losses": LOSSES, "graded": {}}]
LAST = CheckpointState(2, None, {}, {"data": "d"})


def figures(**changes: Any) -> tuple[str, ...]:
    return figures_check({**MANIFEST, **changes}, METRICS, EVALUATIONS, LAST).changes


def test_only_a_completed_run_is_whole() -> None:
    assert not status_check(RunStatus.COMPLETED, None).changes
    told = status_check(RunStatus.FAILED, "error[M020] the loss is not finite").changes
    assert told == ("the run is failed, not completed: error[M020] the loss is not finite",)


def test_weights_are_compared_file_by_file() -> None:
    stored = {"a": "1", "b": "2", "c": "3"}
    assert not weights_check(stored, dict(stored)).changes
    assert weights_check(stored, {"a": "1", "b": "0", "d": "4"}).changes == (
        "lora/b was changed",
        "lora/c is missing",
        "lora/d was added",
    )
    assert weights_check(stored, {"a": "1", "b": "0"}).said == "1 of 3 files as they were written"
    assert weights_check({}, {}).unchecked == "the run has saved none"


def test_a_damaged_checkpoint_is_named() -> None:
    damaged = StoredCheckpoint("step-00000001", 1, None, "state.json: sha256")
    check = checkpoints_check([damaged, StoredCheckpoint("step-00000002", 2, LAST)])
    assert check.changes == ("step-00000001: state.json: sha256",)
    assert check.said == "1 of 2 as they were written"


def test_figures_are_those_of_the_logs() -> None:
    assert not figures()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"steps": 3}, "the manifest tells of 3 steps, metrics.jsonl of 2"),
        ({"final_loss": 0.1}, "the manifest's final loss is 0.1, metrics.jsonl ends with 1.5"),
        ({"final_loss": 2.0}, "the manifest's final loss is 2, metrics.jsonl ends with 1.5"),
        ({"identity": {"data": "e"}}, "the manifest's identity is not that of its last checkpoint"),
        (
            {"before": {"losses": {}, "graded": {}}},
            "the manifest's figures before the training are not those of evaluations.jsonl",
        ),
        (
            {"after": {"losses": LOSSES, "graded": {}}},
            "the manifest's figures after the training are in no log",
        ),
    ],
)
def test_a_figure_that_was_made_up_is_named(changes: dict[str, Any], told: str) -> None:
    assert figures(**changes) == (told,)


def test_a_log_that_is_gone_is_named() -> None:
    assert figures_check(MANIFEST, None, None, None).changes == (
        "metrics.jsonl is missing, or no log any more",
    )


@pytest.mark.parametrize("strange", [None, "two", [], {"x": 1}, True])
def test_a_manifest_may_hold_anything(strange: Any) -> None:
    for key in MANIFEST:
        figures_check({**MANIFEST, key: strange}, METRICS, EVALUATIONS, LAST)
    data_check({"sources": strange, "digest": strange}, mixture())
    list(search_changes({"verdict": strange}, {"test": strange}))


def mixture(**prints: str) -> MixtureManifest:
    sources = tuple(
        SourceManifest(name, "file", print_, 4, 4, 0, {}, 0, 0, 40, 20, 0.5)
        for name, print_ in prints.items()
    )
    return MixtureManifest("digest", 0, "rows", 8, sources)


def test_the_source_that_changed_is_named() -> None:
    stored = {"digest": "digest", "sources": [{"name": n, "fingerprint": "1"} for n in ("a", "b", "c")]}
    same = mixture(a="1", b="1", c="1")
    assert data_check(stored, same).said == "12 rows of 3 sources as they were"
    assert not data_check(stored, same).changes
    assert data_check(stored, mixture(a="1", b="2", d="1")).changes == (
        'source "b": its rows are others',
        'source "c": it is no more',
        'source "d": it was not there',
    )
    assert data_check(stored, replace(same, digest="e")).changes == ("the same rows come in another order",)


def test_counts_of_the_manifest_are_those_of_the_rows() -> None:
    now = mixture(a="1")
    source = {"name": "a", "fingerprint": "1", "read": 4, "kept": 4, "tokens": 40, "dropped": {}}
    stored: dict[str, Any] = {"digest": "digest", "seed": 0, "rows_planned": 8, "sources": [source]}
    assert not data_check(stored, now).changes
    for name in ("read", "kept", "tokens"):
        lied = {**stored, "sources": [{**source, name: 999}]}
        [told] = data_check(lied, now).changes
        assert told.startswith(f'source "a": the manifest says {name} 999, it is ')
    for name in ("grounded", "instructed"):
        lied = {**stored, "sources": [{**source, name: {"given": 4}}]}
        assert data_check(lied, now).changes == (
            f"source \"a\": the manifest says {name} {{'given': 4}}, it is {{}}",
        )
    assert data_check({**stored, "seed": 1}, now).changes == ("the manifest says seed 1, it is 0",)


def test_what_the_manifest_says_twice_is_the_same() -> None:
    pinned = {"data": "d", "recipe seed": "0", "base model": "tiny", "device": "cpu"}
    last = replace(LAST, identity=pinned)
    good = {**MANIFEST, "identity": pinned, "seed": 0, "model": {"name": "tiny", "device": "cpu"}}
    assert not figures_check(good, METRICS, EVALUATIONS, last).changes
    for lie, told in (
        ({"seed": 7}, "the manifest says seed 7, its identity 0"),
        ({"model": {"name": "large", "device": "cpu"}}, "the manifest says model large, its identity tiny"),
    ):
        assert figures_check({**good, **lie}, METRICS, EVALUATIONS, last).changes == (told,)


def test_the_final_loss_is_that_of_the_last_step_that_was_not_left_out() -> None:
    left_out: list[dict[str, Any]] = [*METRICS[:1], {"step": 2, "loss": 9.0, "gradient_norm": None}]
    manifest = {**MANIFEST, "final_loss": 2.0, "skipped": 1}
    assert not figures_check(manifest, left_out, EVALUATIONS, LAST).changes


def test_files_of_a_run_that_ended_are_compared_by_part() -> None:
    stored = {"metrics.jsonl": "1", "samples-after.jsonl": "2", "checkpoints/step-1/MANIFEST.json": "3",
              "tensorboard/": "", "rows.json": "4"}  # fmt: skip
    now = {"metrics.jsonl": "0", "samples-after.jsonl": "0", "tensorboard/": "", "rows.json": "4",
           "evil.py": "5", "ablation.json": "6"}  # fmt: skip
    assert sealed_changes(stored, now, Part.LOGS) == ("metrics.jsonl was changed",)
    check = files_check(stored, now)
    assert check.changes == ("samples-after.jsonl was changed", "evil.py was added")
    assert check.said == (
        "2 files as when the run ended; not covered: manifest.json, ablation.json, tensorboard/"
    )
    gone = sealed_changes(stored, now, Part.CHECKPOINTS)
    assert checkpoints_check([], gone).changes == ("checkpoints/step-1/MANIFEST.json is missing",)
    assert files_check({}, now).unchecked == "the manifest marks none"


def test_a_report_of_a_search_says_what_the_manifest_says() -> None:
    search = {"verdict": "proven", "gain": 0.25, "p": 0.01}
    assert not list(search_changes(search, {"verdict": "proven", "test": {"gain": 0.25, "p": 0.01}}))
    assert list(search_changes(search, {"verdict": "proven", "test": {"gain": 0.5, "p": 0.01}})) == [
        "search.json says gain 0.5, the manifest 0.25"
    ]
