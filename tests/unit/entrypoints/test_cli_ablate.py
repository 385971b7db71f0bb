"""What ``cesello ablate`` prints and keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from cesello.domain.ablation import Ablation, Arm, ArmScores, arm_figures
from cesello.entrypoints.cli.ablate import NAME, STOPPED, _keep, _say


def result(bare: list[float], memory: list[float], *, stopped: bool = False) -> Ablation:
    def arm(which: Arm, scores: list[float]) -> ArmScores:
        n = len(scores)
        return ArmScores("run", which, scores, [True] * n, [False] * n, [100] * n, [None] * n, [1.0] * n)

    scores = (arm(Arm.BARE, bare), arm(Arm.MEMORY, memory))
    return Ablation("r1", "chat", "said", len(bare), {"memory": "pin"}, arm_figures(scores), scores, stopped)


def test_what_was_stopped_takes_no_whole_result_away(tmp_path: Path) -> None:
    whole = _keep(result([0.0] * 4, [1.0] * 4), tmp_path)
    before = whole.read_text()
    stopped = _keep(result([0.0], [1.0], stopped=True), tmp_path)
    assert (whole.name, stopped.name) == (NAME, STOPPED)
    assert whole.read_text() == before


def test_where_scores_are_right_or_wrong_the_share_solved_tells_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _say(result([0.0] * 8, [1.0] * 6 + [0.0] * 2), Path(NAME))
    heading, _, memory = capsys.readouterr().out.splitlines()[3:6]
    assert heading.count("over bare") == 1
    assert "+75% (" in memory
    assert memory.split()[-2:] == ["-", "1.00"]  # what nothing could count is no zero


def test_where_scores_lie_between_the_gain_in_score_is_told_with_interval_and_p(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _say(result([0.2, 0.3, 0.4, 0.3, 0.2, 0.1], [0.7, 0.8, 0.9, 0.7, 0.8, 0.6]), Path(NAME))
    heading, bare, memory = capsys.readouterr().out.splitlines()[3:6]
    assert heading.count("over bare (95 %)  ") == 2
    assert "+0.500 (+" in memory
    assert "0.031" in memory  # 2 / 2^6: all six tasks gained
    assert "+0%" in memory  # none is solved: the share alone would have told of no gain
    assert "+0.5" not in bare
