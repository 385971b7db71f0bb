"""What is kept of a run's evaluations."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from cesello.domain.reward import RewardResult, infra_error
from cesello.domain.run import (
    Evaluation,
    GradedSet,
    RunStatus,
    RunSummary,
    SourceLoss,
    evaluation_from,
    graded_set,
    of_id,
)


def test_a_graded_set_tells_apart_what_was_judged_what_was_not_and_what_could_not_be() -> None:
    results = [
        RewardResult(1.0, {"right": 1.0}),
        RewardResult(0.0, {"right": 0.0}),
        RewardResult(None),
        infra_error("died"),
        infra_error("died"),
    ]
    assert graded_set("own", results) == GradedSet("own", 2, {"right": 1.0}, 0.5, 1, 2)


def test_where_nothing_was_judged_there_is_no_score() -> None:
    assert graded_set("own", [RewardResult(None)]) == GradedSet("own", 0, {}, None, 1, 0)
    assert graded_set("own", []).score is None


def test_an_evaluation_is_read_back() -> None:
    evaluation = Evaluation({"a": SourceLoss(1, 2, 3.0)}, {"a": GradedSet("own", 2, {"x": 1.0}, 0.5, 1, 2)})
    values = asdict(evaluation)
    del values["samples"]
    assert evaluation_from(values) == evaluation


@pytest.mark.parametrize("key", ["score", "not_applicable", "infra_errors"])
def test_evaluations_of_before_those_figures_are_read_too(key: str) -> None:
    old = {"losses": {}, "graded": {"a": {"reward": "own", "rows": 3, "parts": {"x": 2.0}}}}
    graded = evaluation_from(old).graded["a"]
    assert (graded.rows, graded.parts) == (3, {"x": 2.0})
    assert not getattr(graded, key)


def test_of_a_run_and_its_copy_the_one_in_its_own_folder_comes_first() -> None:
    def run(folder: str, its_id: str) -> RunSummary:
        return RunSummary(its_id, "demo", RunStatus.COMPLETED, "now", None, 1, 1, f"runs/{folder}")

    copy, own, other = run("whole", "mine"), run("mine", "mine"), run("other", "other")
    assert of_id([copy, other, own], "mine") == [own, copy]
    assert of_id([copy, other], "mine") == [copy]
