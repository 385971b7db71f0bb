"""Runs side by side."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from cesello.adapters.run.folder_live_runs import FolderLiveRuns
from cesello.adapters.run.folder_run_store import FolderRunStore
from cesello.application.compare_runs import CompareRuns, RunsCompared
from cesello.domain.errors import DataError
from tests.run_folders import write_log, write_run


def compare(folder: Path, *names: str) -> RunsCompared:
    return CompareRuns(FolderRunStore(folder), FolderLiveRuns())(names)[0]


def test_what_runs_cost_and_came_to_is_side_by_side(tmp_path: Path) -> None:
    write_run(tmp_path, "one")
    write_run(tmp_path, "two", steps=6, status="interrupted", after=None)
    found = compare(tmp_path, "one", "two")
    assert [(run.id, run.status, run.steps, run.seconds, run.tokens) for run in found.runs] == [
        ("one", "completed", 12, 24.0, 1200),
        ("two", "interrupted", 6, 12.0, 600),
    ]
    assert [run.tokens_per_second for run in found.runs] == [50.0, 50.0]
    assert (found.recipe, found.versions, found.data) == ((), (), ())
    loss = found.figures[0]
    assert (loss.key, loss.averaged, loss.least) == ("loss", (5, 3), (2.0 / 12, 2.0 / 6))
    assert {one.name: one.after for one in found.held_out}["loss"] == (1.0, None)
    json.dumps(asdict(found))


def test_a_figure_that_one_run_lacks_is_none_there(tmp_path: Path) -> None:
    write_run(tmp_path, "one")
    write_run(tmp_path, "two", rewarded=True)
    by_key = {one.key: one for one in compare(tmp_path, "one", "two").figures}
    assert by_key["reward"].last[0] is None
    assert by_key["reward"].averaged == (0, 5)
    assert by_key["loss"].last[1] is not None


def test_a_reinforcement_comes_to_a_reward_and_not_to_a_loss(tmp_path: Path) -> None:
    write_run(tmp_path, "one")
    write_run(tmp_path, "two", rewarded=True)
    tuned, rewarded = compare(tmp_path, "one", "two").runs
    assert (tuned.final_loss, tuned.final_reward) == (0.2, None)
    assert rewarded.final_loss is None
    assert rewarded.final_reward == pytest.approx(0.5)


def test_a_score_below_0_widens_the_gains_whenever_it_was_given(tmp_path: Path) -> None:
    """Otherwise `report`, which knows that rewards go below 0, and this command would tell two intervals."""
    write_run(tmp_path, "one")
    write_run(tmp_path, "two")

    def width() -> float:
        [score] = [one for one in compare(tmp_path, "one", "two").held_out if one.name == "score"]
        assert score.gains[1] is not None
        return score.gains[1].high - score.gains[1].low

    narrow = width()
    write_log(tmp_path / "one", "scores", [{"when": "before", "source": "chat", "row": 0, "score": -1.0}])
    assert width() > 1.2 * narrow


def test_an_unknown_run_is_told(tmp_path: Path) -> None:
    write_run(tmp_path, "one")
    with pytest.raises(DataError, match="D030"):
        compare(tmp_path, "one", "other")
