from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest

from cesello.domain.reinforcement import Judged, JudgedGroup
from cesello.domain.token_log import ROLLOUTS, TOKENS, is_kept, token_lines, told_group


def judged(reward: float | None, ids: Sequence[int] = (1, 2), trained: bytes = b"") -> Judged:
    return Judged(list(ids), [-0.12345] * len(ids), True, "text", reward, trained=trained)


def group(*rewards: float | None) -> JudgedGroup:
    return JudgedGroup([7], "q", [judged(reward) for reward in rewards])


def pieces(ids: Sequence[int]) -> list[str]:
    return [f"t{one}" for one in ids]


def test_the_group_whose_rewards_differ_most_is_told() -> None:
    assert told_group([group(1.0, 1.0), group(0.0, 1.0), group(0.5, 0.0), group(None)]) == 1
    assert told_group([group(0.5, 0.5), group(0.1, 0.1)]) == 0
    assert told_group([]) is None


def test_every_token_of_its_completions_is_told_with_its_probability() -> None:
    assert token_lines([group(1.0, 1.0), group(0.0, 1.0)], 3, pieces) == [
        {"step": 3, "prompt": 1, "number": number, "pieces": ["t1", "t2"], "log_probs": [-0.123, -0.123]}
        for number in (0, 1)
    ]


def test_what_the_model_did_not_draw_has_no_probability() -> None:
    one = JudgedGroup([7], "q", [judged(1.0, (1, 2, 3), b"\1\0\1")])
    [line] = token_lines([one], 1, pieces)
    assert line["log_probs"] == [-0.123, None, -0.123]


def test_of_a_long_completion_the_beginning_is_kept() -> None:
    one = JudgedGroup([7], "q", [judged(1.0, range(TOKENS + 5))])
    [line] = token_lines([one], 1, pieces)
    assert len(line["pieces"]) == len(line["log_probs"]) == TOKENS


@pytest.mark.parametrize("rollouts", [1, 5, ROLLOUTS, ROLLOUTS + 1, 12_345])
def test_the_log_stays_small_however_long_the_training(rollouts: int) -> None:
    kept = [at for at in range(rollouts) if is_kept(at, rollouts)]
    assert kept[0] == 0
    assert min(rollouts, ROLLOUTS) / 2 <= len(kept) <= ROLLOUTS
    assert len({later - at for at, later in pairwise(kept)}) <= 1
