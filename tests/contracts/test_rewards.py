"""What holds for rewards by name, whoever keeps them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cesello.domain.errors import UsageError
from cesello.domain.ports.grading import Rewards
from cesello.entrypoints.rewards_by_name import Made, RewardsByName
from tests.fakes.reward import FakeRewardModel
from tests.fakes.rewards import FakeRewards


def by_name() -> Rewards:
    return RewardsByName({"fake": lambda: Made(FakeRewardModel())})


@pytest.fixture(params=[FakeRewards, by_name])
def rewards(request: pytest.FixtureRequest) -> Rewards:
    make: Callable[[], Rewards] = request.param
    return make()


def test_a_reward_is_the_same_one_each_time(rewards: Rewards) -> None:
    assert rewards["fake"].name == "fake"
    assert rewards["fake"] is rewards["fake"]


def test_a_name_that_is_none_is_told(rewards: Rewards) -> None:
    with pytest.raises(UsageError, match=r"C009.*other"):
        rewards["other"]
    with pytest.raises(UsageError, match=r"C009.*other"):
        rewards.check(["fake", "other"])


def test_what_can_judge_is_let_pass(rewards: Rewards) -> None:
    rewards.check([])
    rewards.check(["fake"])
    rewards.check(["fake", "fake"])


def test_it_is_closed_as_often_as_one_likes_and_used_again(rewards: Rewards) -> None:
    rewards.close()
    rewards.check(["fake"])
    rewards.close()
    rewards.close()
    assert rewards["fake"].score([]) == []
