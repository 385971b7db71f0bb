from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.report_charts import POINTS, Chart, charts, smoothed, thinned
from tests.recorded_runs import evaluation, figures, reinforced, run, searched, tuned

VALUES = st.lists(st.floats(-1e6, 1e6), max_size=3000)


def by_name(made: tuple[Chart, ...]) -> dict[str, Chart]:
    return {chart.name: chart for chart in made}


@given(VALUES)
def test_thinning_keeps_ends_extremes_and_order(values: list[float]) -> None:
    points = list(enumerate(map(float, values)))
    kept = thinned([(float(step), value) for step, value in points])
    assert len(kept) <= max(POINTS + 2, 0) or len(kept) == len(points)
    assert list(kept) == sorted(kept, key=lambda point: point[0])
    if points:
        assert (kept[0], kept[-1]) == (points[0], points[-1])
        shown = [value for _, value in kept]
        assert (min(shown), max(shown)) == (min(values), max(values))


def test_few_points_stay_as_they_are() -> None:
    assert thinned([(1, 2.0), (2, 3.0)]) == ((1, 2.0), (2, 3.0))


def test_a_constant_is_smoothed_to_itself_without_a_band() -> None:
    means, bands = smoothed([(float(step), 2.0) for step in range(20)])
    assert {mean for _, mean in means} == {2.0}
    assert {(low, high) for _, low, high in bands} == {(2.0, 2.0)}


def test_the_band_is_a_standard_deviation_around_the_mean() -> None:
    means, bands = smoothed([(float(step), float(step % 2)) for step in range(100)])
    step, mean = means[50]
    _, low, high = bands[50]
    assert step == 50
    assert 0.4 < mean < 0.6
    assert abs((high - low) / 2 - 0.5) < 0.01


def test_few_points_are_not_smoothed() -> None:
    assert smoothed([(1.0, 2.0)] * 11) == ([], [])


def test_a_fine_tuning_begins_with_its_loss_and_the_held_out_one() -> None:
    made = charts(tuned())
    assert made[0].name == "loss"
    assert [one.name for one in made[0].series] == ["training", "held out: chat"]
    assert made[0].series[1].points == ((0, 3.0), (20, 2.4), (40, 2.0))
    assert {"score", "gradient_norm", "learning_rate", "tokens_per_second"} <= by_name(made).keys()


def test_the_speed_of_a_reinforcement_is_that_of_the_tokens_learnt_from() -> None:
    tuning, rewarded = (by_name(charts(one))["tokens_per_second"] for one in (tuned(), reinforced()))
    assert (tuning.unit, tuning.note) == ("tokens a second", "")
    assert rewarded.unit == "tokens learnt a second"
    assert "groups are all alike" in rewarded.note


def test_a_held_out_score_has_its_interval() -> None:
    [series] = by_name(charts(tuned()))["score"].series
    step, low, high = series.band[0]
    assert step == 0
    assert low < 0.2 < high


def test_a_reinforcement_begins_with_its_reward_and_has_no_loss_of_training() -> None:
    made = charts(reinforced())
    assert made[0].name == "reward"
    step, low, high = made[0].series[0].band[0]
    assert (step, round(high - low, 6)) == (1, 0.4)  # twice the deviation within groups
    assert [one.name for one in by_name(made)["parts"].series] == ["exact", "length"]
    assert by_name(made)["completion_tokens"].series[0].band[0] == (1, 3, 3)
    assert "loss" not in by_name(made)


def test_an_algorithm_of_ones_own_has_its_figures_shown() -> None:
    made = charts(run(metrics=figures("surprise", [1.0, 2.0])))
    assert [chart.name for chart in made] == ["surprise"]


def test_a_log_that_names_a_thousand_figures_fills_no_page() -> None:
    line = {"step": 1} | {f"figure {number}": 1.0 for number in range(1000)}
    assert len(charts(run(metrics=[line]))) == 12


def test_what_is_no_figure_is_not_drawn() -> None:
    lines = [*figures("loss", [1.0]), {"step": 2, "loss": None}, {"step": 3, "loss": "1"}, {"step": 4}]
    [chart] = charts(run(metrics=lines, evaluations=[{"step": 0} | evaluation(None, None)]))
    assert chart.series[0].points == ((1, 1.0),)


def test_a_search_has_no_curves() -> None:
    assert charts(searched()) == ()
