from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.errors import UsageError
from cesello.domain.halving import search_plan, survivors
from cesello.domain.prompt_search import Budget
from tests.fakes.prompt import simulated_parts

PARTS = simulated_parts(150, 90, 120)


def test_six_hundred_rollouts_are_divided() -> None:
    plan = search_plan(Budget(600), PARTS)
    assert (plan.search, plan.selection, plan.test, plan.test_tasks) == (402, 48, 150, 75)
    assert plan.rungs == (4, 8)
    assert plan.round_cost(6) == 8 + 6 * 4 + 3 * 4
    assert plan.rounds == 402 // 44


@given(
    st.integers(1, 5_000), st.integers(1, 4), st.none() | st.integers(1, 200_000), st.integers(1, 300),
    st.tuples(st.integers(4, 200), st.integers(2, 90), st.integers(5, 200)),
)  # fmt: skip
def test_a_plan_never_spends_more_than_there_is(
    rollouts: int, replicates: int, tokens: int | None, longest: int, sizes: tuple[int, int, int]
) -> None:
    parts = simulated_parts(*sizes)
    try:
        plan = search_plan(Budget(rollouts, tokens=tokens), parts, replicates, longest)
    except UsageError:
        return
    total = plan.search + plan.selection + plan.test
    assert total <= rollouts
    assert tokens is None or total * longest <= tokens
    assert plan.test == 2 * replicates * plan.test_tasks
    assert plan.test_tasks <= sizes[2]
    assert plan.rungs[-1] <= sizes[0]
    assert plan.affordable(plan.search) >= 1
    assert plan.round_cost(plan.affordable(plan.search)) <= plan.search


@given(st.integers(60, 3_000), st.integers(1, 4), st.integers(5, 300), st.integers(-10, 3_000))
def test_without_ideas_half_of_what_is_left_is_for_the_test(
    rollouts: int, replicates: int, tasks: int, left: int
) -> None:
    parts = simulated_parts(20, 10, tasks)
    try:
        plan = search_plan(Budget(rollouts), parts, replicates)
    except UsageError:
        return
    left = min(left, plan.search)
    new = plan.without_ideas(left, tasks)
    more = new.test - plan.test
    assert new.search + new.selection + new.test == plan.search + plan.selection + plan.test
    assert new.test == 2 * replicates * new.test_tasks
    assert 0 <= more <= max(0, left / 2)
    assert new.test_tasks == tasks or left / 2 - more < 2 * replicates  # no more tasks, or no more room


@pytest.mark.parametrize(
    ("budget", "longest", "got", "expected"),
    [
        (Budget(10), 1, "10 rollouts", "at least 41 rollouts"),
        (Budget(600, tokens=3_000), 100, "3000 tokens", "at least 4100 tokens"),
    ],
)
def test_a_budget_that_is_too_small_says_what_would_do(
    budget: Budget, longest: int, got: str, expected: str
) -> None:
    with pytest.raises(UsageError) as caught:
        search_plan(budget, PARTS, longest=longest)
    assert caught.value.code == "C120"
    assert (caught.value.got, caught.value.expected) == (got, expected)


@pytest.mark.parametrize("replicates", [1, 2, 3])
def test_what_would_do_does(replicates: int) -> None:
    with pytest.raises(UsageError) as caught:
        search_plan(Budget(1), PARTS, replicates)
    least = int(str(caught.value.expected).split()[2])
    assert search_plan(Budget(least), PARTS, replicates).test_tasks >= 5


@pytest.mark.parametrize(
    ("sizes", "part"), [((3, 9, 9), "search"), ((9, 1, 9), "selection"), ((9, 9, 4), "test")]
)
def test_a_part_with_too_few_tasks_is_named(sizes: tuple[int, int, int], part: str) -> None:
    with pytest.raises(UsageError) as caught:
        search_plan(Budget(600), simulated_parts(*sizes))
    assert caught.value.code == "C121"
    assert f"in its {part} part" in str(caught.value)


def test_the_better_half_goes_on() -> None:
    assert survivors({"a": 0.1, "b": -0.2, "c": 0.3, "d": 0.1}) == ["c", "a"]
    assert survivors({"a": -0.1}) == ["a"]
    assert survivors({"a": 0.0, "b": 0.0, "c": 0.0}) == ["a"]
