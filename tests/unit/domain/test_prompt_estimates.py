from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.prompt_estimates import PromptEstimates
from cesello.domain.prompt_program import Demo, PromptProgram

SEED = PromptProgram(system="Answer.\nBe brief.")


def added(*lines: str) -> PromptProgram:
    return SEED.with_text("system", "\n".join(["Answer.", "Be brief.", *lines]))


def known(*programs: PromptProgram) -> PromptEstimates:
    estimates = PromptEstimates(SEED)
    for program in programs:
        estimates.add(program)
    return estimates


class _Scores(dict[str, dict[str, float]]):
    """Scores by program, made from shares of right answers."""

    @classmethod
    def of(cls, *rates: tuple[PromptProgram, float], tasks: int = 40) -> _Scores:
        return cls(
            {one.id: {f"{at}": float(at < rate * tasks) for at in range(tasks)} for one, rate in rates}
        )


def test_the_better_on_the_same_tasks_is_estimated_better() -> None:
    good, bad = added("Think."), added("Guess.")
    means = known(good, bad).means(_Scores.of((SEED, 0.5), (good, 0.8), (bad, 0.2)))
    assert means[good.id] > means[SEED.id] > means[bad.id]


def test_a_difference_is_shrunk_the_more_the_fewer_tasks_there_are() -> None:
    good = added("Think.")

    def gain(tasks: int) -> float:
        means = known(good).means(_Scores.of((SEED, 0.25), (good, 0.75), tasks=tasks))
        return means[good.id] - means[SEED.id]

    assert 0 < gain(4) < gain(16) < gain(400) < 0.5


def test_what_a_line_did_elsewhere_is_expected_of_it_here() -> None:
    one, both, other = added("Think."), added("Think.", "List."), added("List.")
    scores = _Scores.of((SEED, 0.4), (one, 0.8), (other, 0.4))
    means = known(one, other, both).means(scores)
    assert means[both.id] > means[other.id]
    assert means[both.id] > means[SEED.id]


def test_tasks_that_are_hard_for_all_do_not_count_against_a_program() -> None:
    one, other = added("Think."), added("List.")
    hard = {f"h{at}": 0.0 for at in range(20)}
    easy = {f"e{at}": 1.0 for at in range(20)}
    seed = hard | easy
    means = known(one, other).means({SEED.id: seed, one.id: hard, other.id: easy})
    # Their means differ by 1; most of that is put down to the tasks.
    assert 0 < means[other.id] - means[one.id] < 0.2


def test_a_long_edit_is_not_expected_to_do_more_than_a_short_one() -> None:
    short, long = added("Think."), added(*(f"Rule {at}." for at in range(30)))
    means = known(short, long).means(_Scores.of((SEED, 0.4), (short, 0.6), (long, 0.6)))
    assert means[short.id] == pytest.approx(means[long.id])


def test_lines_that_were_taken_away_and_demos_are_changes_too() -> None:
    without = SEED.with_text("system", "Answer.")
    shown = replace(SEED, demos=(Demo("q", "a"),))
    both = replace(without, demos=shown.demos)
    means = known(without, shown, both).means(_Scores.of((SEED, 0.4), (without, 0.7), (shown, 0.7)))
    assert means[both.id] > max(means[without.id], means[shown.id]) > means[SEED.id]


@given(st.integers(0, 1_000), st.floats(0.01, 100), st.floats(-5, 5))
def test_neither_scale_nor_level_of_a_reward_matters(seed: int, scale: float, level: float) -> None:
    random = Random(seed)
    programs = [SEED, added("a"), added("b"), added("a", "b")]
    scores = {
        one.id: {f"{t}": float(random.random() < 0.5) for t in range(12) if random.random() < 0.8}
        for one in programs
    }
    moved = {one: {task: level + scale * score for task, score in its.items()} for one, its in scores.items()}
    estimates = known(*programs[1:])
    means, others = estimates.means(scores), estimates.means(moved)
    for one in means:
        assert others[one] == pytest.approx(scale * means[one], abs=1e-6 * scale)


def test_where_nothing_is_known_all_are_equal() -> None:
    one = added("Think.")
    assert known(one).means({}) == {SEED.id: 0.0, one.id: 0.0}
    assert set(known(one).means(_Scores.of((SEED, 1.0), (one, 1.0))).values()) == {0.0}
