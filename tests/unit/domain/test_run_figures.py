"""What logs come to, well written or not."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.run_figures import BEST, RunFigures, TriedPrompt, best_so_far, number
from tests.run_folders import evaluation, metrics_line, rewarded_line, timings_line


def of(*lines: tuple[str, dict[str, Any]]) -> RunFigures:
    figures = RunFigures()
    for log, line in lines:
        figures.add(log, line)
    return figures


def titles(figures: RunFigures) -> list[str]:
    return [kind.title for kind in figures.kinds]


def test_a_fine_tuning_is_about_its_loss() -> None:
    figures = of(*(("metrics", metrics_line(n)) for n in (1, 2)), ("timings", timings_line(1)))
    assert titles(figures) == ["loss", "token accuracy", "gradient norm", "tokens/s"]
    assert (figures.step, figures.steps, figures.tokens, figures.seconds) == (2, 2, 200, 2.0)
    assert not figures.is_rewarded


def test_a_reinforcement_is_about_its_reward_and_hides_its_loss() -> None:
    figures = of(
        ("metrics", rewarded_line(1)), ("evaluations", {"step": 0, "when": "before", **evaluation()})
    )
    assert titles(figures)[:3] == ["reward", "held-out score", "held-out loss"]
    assert "loss" not in titles(figures)
    figures.add("timings", timings_line(1))
    assert titles(figures)[-1] == "tokens learnt/s"
    assert figures.is_rewarded


def test_parts_of_a_reward_are_told_where_there_are_several() -> None:
    one = of(("metrics", rewarded_line(1, **{"reward/exact_call": 0.5})))
    assert titles(one)[:2] == ["reward", "dead groups"]
    two = of(("metrics", rewarded_line(1, **{"reward/exact_call": 0.5, "reward/length": 1.0})))
    assert titles(two)[:3] == ["reward", "reward: exact call", "reward: length"]


def test_first_and_last_are_means_of_steps_that_are_not_the_same() -> None:
    figures = of(*(("metrics", metrics_line(n, loss=float(n))) for n in range(1, 13)))
    [loss, *_] = figures.kinds
    ends = figures.ends(loss)
    assert (ends.averaged, ends.first, ends.last) == (5, 3.0, 10.0)
    few = of(*(("metrics", metrics_line(n, loss=float(n))) for n in range(1, 4))).ends(loss)
    assert (few.averaged, few.first, few.last) == (1, 1.0, 3.0)


def test_a_step_without_a_figure_is_a_gap_in_its_place() -> None:
    dead = {key: value for key, value in rewarded_line(1).items() if key not in ("entropy", "kl")}
    parts = {"reward/exact_call": 0.5, "reward/length": 1.0}
    figures = of(
        ("metrics", dead),
        ("metrics", rewarded_line(2, **parts)),
        ("metrics", dead),
        ("metrics", rewarded_line(4, kl=None)),
        *(
            ("timings", timings_line(n, tokens_per_second=rate))
            for n, rate in enumerate((None, 5.0, None, 6.0), 1)
        ),
    )
    columns = {kind.key: curve.columns(9) for kind in figures.kinds if (curve := figures.curve(kind))}
    assert columns["reward"] == [0.05, 0.1, 0.05, 0.2]
    assert columns["entropy"] == [None, 0.5, None, 0.25]
    assert columns["kl"] == [None, 0.02, None, None]
    assert columns["reward/length"] == [None, 1.0, None, None]
    assert columns["tokens_per_second"] == [None, 5.0, None, 6.0]


def test_seconds_are_told_by_what_they_went_to() -> None:
    lines = [timings_line(n, seconds=4.0, seconds_generate=3.0, seconds_update=1.0) for n in (1, 2, 3)]
    figures = of(*(("timings", line) for line in lines))
    assert figures.phases == {"generate": 9.0, "update": 3.0}
    assert figures.seconds == 12.0
    assert figures.seconds_a_step == 4.0


def test_evaluations_and_alarms_are_kept_in_order() -> None:
    figures = of(
        ("evaluations", {"step": 0, "when": "before", **evaluation(2.0, 2.0)}),
        ("evaluations", {"step": 4, "when": "step", **evaluation(1.0, 4.0)}),
        ("alarms", {"step": 5, "name": "kl", "text": "too far"}),
    )
    assert [(one.step, one.when, one.evaluation.score) for one in figures.evaluations] == [
        (0, "before", 0.25),
        (4, "step", 0.5),
    ]
    assert [(alarm.step, alarm.text) for alarm in figures.alarms] == [(5, "too far")]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["step", "loss", "reward", "kl", "tokens", "seconds", "seconds_x", "reward/x", "losses", "graded", "text"]
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["metrics", "timings", "evaluations", "alarms", "other"]),
            st.dictionaries(KEYS, ANYTHING, max_size=6),
        ),
        max_size=12,
    )
)
def test_whatever_a_log_holds_is_no_failure(lines: list[tuple[str, dict[str, Any]]]) -> None:
    figures = of(*lines)
    for kind in figures.kinds:
        curve = figures.curve(kind)
        assert curve is not None
        assert curve.columns(10) is not None
        assert figures.ends(kind).averaged >= 1
    assert figures.seconds_a_step is None or figures.seconds_a_step == figures.seconds_a_step


def test_a_log_cannot_fill_the_memory_with_names() -> None:
    names = {f"reward/{n}": 1.0 for n in range(10_000)} | {f"seconds_{n}": 1.0 for n in range(10_000)}
    figures = of(("metrics", metrics_line(1) | names), ("timings", timings_line(1) | names))
    assert len(figures.kinds) < 60
    assert len(figures.phases) < 60


@pytest.mark.parametrize(
    ("value", "known"),
    [
        (1, 1.0),
        (0.5, 0.5),
        (True, None),
        ("1", None),
        (None, None),
        (nan, None),
        (inf, None),
        (10**400, None),
    ],
)
def test_what_is_no_number_is_none(value: object, known: float | None) -> None:
    assert number(value) == known


def test_the_best_prompt_so_far_only_rises_and_luck_on_few_tasks_does_not_count() -> None:
    tried = [
        TriedPrompt(16, 0.2),
        TriedPrompt(8, None),
        TriedPrompt(2, 1.0),
        TriedPrompt(8, 0.5),
        TriedPrompt(8, 0.4),
    ]
    scores = best_so_far(tried)
    assert scores == [0.2, 0.5, 0.5]
    assert best_so_far([]) == best_so_far([TriedPrompt(0, None)]) == []
    figures = RunFigures()
    for score in scores:
        figures.add_best(score)
    assert figures.kinds == (BEST,)
