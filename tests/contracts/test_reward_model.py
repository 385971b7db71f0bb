"""What every RewardModel owes, on the fake and on every adapter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.adapters.reward.function_calling_reward import FunctionCallingReward
from cesello.domain.chatml import call_as_text
from cesello.domain.conversation import Conversation, Message, Role, ToolCall, user
from cesello.domain.ports.reward import RewardModel
from tests.fakes.reward import FakeRewardModel

GRADABLE = Conversation((Message(Role.USER, "Add one."),), reference={"calls": [{"add": {"a": [1]}}]})
RIGHT = call_as_text(ToolCall("add", '{"a": 1}'))
pieces = st.lists(
    st.sampled_from([RIGHT, "<tool_call>", "</tool_call>", "{", "}", " ", "\x00", '"name"', "add"])
)
completions = st.text() | pieces.map("".join)


@pytest.fixture(params=[FakeRewardModel, FunctionCallingReward], scope="module")
def reward(request: pytest.FixtureRequest) -> RewardModel:
    made: RewardModel = request.param()
    return made


def test_it_has_a_name_and_parts(reward: RewardModel) -> None:
    assert reward.name
    assert len(set(reward.parts)) == len(reward.parts) > 0


@given(completion=completions)
def test_a_result_has_every_part_and_stays_in_its_range(reward: RewardModel, completion: str) -> None:
    result = reward.score(GRADABLE, completion)
    assert tuple(result.parts) == reward.parts
    assert result.score is not None
    assert all(-1 <= value <= 1 for value in (result.score, *result.parts.values()))


@given(completion=completions)
def test_the_same_completion_gets_the_same_result(reward: RewardModel, completion: str) -> None:
    assert reward.score(GRADABLE, completion) == reward.score(GRADABLE, completion)


@given(completion=completions)
def test_a_prompt_that_cannot_be_graded_is_no_zero(reward: RewardModel, completion: str) -> None:
    result = reward.score(user("hello"), completion)
    assert (result.score, dict(result.parts)) == (None, {})
    assert result.reasons


def test_a_right_answer_is_better_than_none(reward: RewardModel) -> None:
    best, worst = reward.score(GRADABLE, RIGHT).score, reward.score(GRADABLE, "").score
    assert best is not None
    assert worst is not None
    assert best > worst
