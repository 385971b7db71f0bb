"""Several rewards as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.adapters.reward.blended_reward import BlendedReward
from cesello.domain.conversation import user
from cesello.domain.reward import Attempt, Blend, Reads, RewardResult, Verdict, infra_error

ATTEMPTS = [Attempt(user("question"), "a"), Attempt(user("question"), "b")]


class Says:
    """Gives the completions such scores; None where it does not apply."""

    name = "says"
    parts: tuple[str, ...] = ()
    reads = frozenset({Reads.PROMPT})

    def __init__(self, *results: RewardResult, range: tuple[float, float] = (-1.0, 1.0)) -> None:
        self._results = results
        self.range = range
        self.asked = 0

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        self.asked += 1
        return list(self._results)[: len(attempts)]


def says(*scores: float | None) -> Says:
    return Says(*(RewardResult(score) for score in scores))


def scores(blended: BlendedReward) -> list[float | None]:
    return [result.score for result in blended.score(ATTEMPTS)]


@pytest.mark.parametrize(
    ("blend", "wanted"), [(Blend.MEAN, [0.25, -1.0]), (Blend.SUM, [0.5, -1.0])], ids=["mean", "sum"]
)
def test_every_completion_has_its_own_blend(blend: Blend, wanted: list[float]) -> None:
    rewards = {"one": says(1.0, -1.0), "other": says(-0.5, -1.0)}
    assert scores(BlendedReward(rewards, {"one": 1.0, "other": 1.0}, blend)) == wanted


def test_a_weight_below_zero_turns_a_score_round() -> None:
    rewards = {"one": says(1.0, 1.0), "other": says(1.0, -1.0)}
    assert scores(BlendedReward(rewards, {"one": 1.0, "other": -1.0})) == [0.0, 1.0]


def test_what_does_not_apply_is_left_out_of_that_row_alone() -> None:
    results = BlendedReward({"one": says(1.0, 0.0), "other": says(None, 1.0)}, {"one": 1.0, "other": 1.0})
    first, second = results.score(ATTEMPTS)
    assert (first.score, first.parts) == (1.0, {"one": 1.0})
    assert (second.score, second.parts) == (0.5, {"one": 0.0, "other": 1.0})


def test_where_nothing_applies_neither_does_the_blend() -> None:
    assert scores(BlendedReward({"one": says(None, None)}, {"one": 1.0})) == [None, None]


def test_one_grader_that_fails_leaves_the_completion_without_a_score() -> None:
    failing = Says(infra_error("died"), RewardResult(0.0))
    first, second = BlendedReward(
        {"one": says(1.0, 1.0), "other": failing}, {"one": 1.0, "other": 1.0}
    ).score(ATTEMPTS)
    assert (first.score, first.verdict, first.reasons) == (None, Verdict.INFRA_ERROR, ("other:died",))
    assert second.score == 0.5


def test_a_reward_of_no_weight_is_not_asked() -> None:
    unasked = says(1.0, 1.0)
    blended = BlendedReward({"one": says(0.0, 0.0), "other": unasked}, {"one": 1.0, "other": 0.0})
    assert scores(blended) == [0.0, 0.0]
    assert unasked.asked == 0


def test_it_reads_what_any_of_them_reads() -> None:
    tests = says(0.0)
    tests.reads = frozenset({Reads.TESTS})
    blended = BlendedReward({"one": says(0.0), "other": tests}, {"one": 1.0, "other": 1.0})
    assert blended.reads == {Reads.PROMPT, Reads.TESTS}


ends = st.tuples(st.floats(-1, 1), st.floats(-1, 1)).map(lambda pair: (min(pair), max(pair)))
weights = st.floats(-4, 4).filter(lambda weight: abs(weight) > 1e-6)


@given(
    st.lists(st.tuples(ends, weights, st.none() | st.floats(0, 1)), min_size=1, max_size=4),
    st.sampled_from(Blend),
)
def test_no_score_is_outside_the_range(
    given: list[tuple[tuple[float, float], float, float | None]], blend: Blend
) -> None:
    """Each reward scores somewhere within its own range, or does not apply."""
    rewards: dict[str, Says] = {}
    by_name: Mapping[str, float] = {str(at): weight for at, (_, weight, _) in enumerate(given)}
    for at, ((low, high), _, share) in enumerate(given):
        score = None if share is None else low + share * (high - low)
        rewards[str(at)] = Says(RewardResult(score), range=(low, high))
    blended = BlendedReward(rewards, by_name, blend)
    [score] = [result.score for result in blended.score(ATTEMPTS[:1])]
    low, high = blended.range
    assert -1 <= low <= high <= 1
    assert score is None or low - 1e-9 <= score <= high + 1e-9
