from __future__ import annotations

from dataclasses import replace
from random import Random
from statistics import fmean

import pytest

from cesello.domain.report_gains import gains, score_interval, score_range
from cesello.domain.statistics import Interval, newcombe, wilson
from tests.recorded_runs import changed, completion, evaluation, run, sample, tuned


def test_scores_come_with_intervals_and_losses_without() -> None:
    score, loss = gains(tuned())
    assert (score.kind, score.before, score.after, score.difference) == ("score", 0.2, 0.8, 0.8 - 0.2)
    assert score.interval is not None
    assert score.interval.low > 0
    assert score.is_better is True
    assert (loss.kind, loss.before, loss.after, loss.interval, loss.is_better) == (
        "loss", 3.0, 2.0, None, None,
    )  # fmt: skip


def test_a_small_gain_on_few_rows_may_be_chance() -> None:
    one = changed(tuned(), before=evaluation(0.5, None, 10), after=evaluation(0.6, None, 10))
    assert gains(one)[0].is_better is None


def test_a_clear_loss_is_said() -> None:
    one = changed(tuned(), before=evaluation(0.9, None), after=evaluation(0.1, None))
    assert gains(one)[0].is_better is False


def test_before_the_end_there_is_no_difference() -> None:
    score, _ = gains(changed(tuned(), after=None))
    assert (score.after, score.difference, score.interval) == (None, None, None)


def test_the_interval_of_a_proportion_is_wilsons() -> None:
    assert score_interval(0.3, 50, 0.0, 1.0) == wilson(15, 50)


def test_negative_rewards_widen_the_range() -> None:
    assert score_range(tuned()) == (0.0, 1.0)
    assert score_range(run("grpo", completions=[completion(1, 0, 0, "", reward=-0.1)])) == (-1.0, 1.0)
    interval = score_interval(0.0, 50, -1.0, 1.0)
    assert interval.low == pytest.approx(-interval.high)


def test_a_score_of_an_answer_below_0_widens_the_range_though_its_parts_and_the_mean_are_not() -> None:
    """As the reward ``length`` has it: its part is 0 to 1, the score that it comes to -1 to 1."""
    scores = [
        {"when": when, "source": "chat", "prompt": f"{n}", "score": score, "parts": {"length": part}}
        for when in ("before", "after")
        for n, (score, part) in enumerate([(-1.0, 0.0)] * 9 + [(1.0, 1.0)] * 11)
    ]
    end = evaluation(0.1, None, 20, parts={"length": 11.0})
    one = changed(tuned(), before=end, after=end)
    assert score_range(one) == (0.0, 1.0)
    one = replace(one, logs={**one.logs, "scores": scores})
    assert score_range(one) == (-1.0, 1.0)
    assert gains(one)[0].before_interval == score_interval(0.1, 20, -1.0, 1.0)


def test_a_sample_below_0_widens_the_range() -> None:
    assert score_range(replace(tuned(), samples={"before": [sample("q", "", exact=-0.5)]})) == (-1.0, 1.0)


def test_a_paired_interval_is_made_for_the_range_of_the_run() -> None:
    """Six answers that were right twice say the less, the more a wrong one costs."""
    kept = {
        when: [sample(f"q{n}", "") | {"score": 1.0, "parts": {}} for n in range(6)]
        for when in ("before", "after")
    }
    end = evaluation(1.0, None, 6, parts={})
    one = replace(changed(tuned(), before=end, after=end), samples=kept)
    [narrow] = gains(one)
    elsewhere = [completion(1, 0, 0, "", reward=-0.1)]
    [wide] = gains(replace(one, logs={**one.logs, "completions": elsewhere}))
    assert narrow.paired
    assert wide.paired
    assert narrow.interval == newcombe(6, 0, 0, 0)
    assert narrow.interval is not None
    assert wide.interval == Interval(2 * narrow.interval.low, 2 * narrow.interval.high)


@pytest.mark.parametrize("draw", ["both ends", "thirds", "uniform"])
def test_the_interval_holds_the_mean_of_any_scores(draw: str) -> None:
    """By simulation: of 400 samples of 40 scores at least 93 % have it within."""
    random, mean, held = Random(1), 0.5, 0
    scores = {
        "both ends": lambda: float(random.random() < mean),
        "thirds": lambda: random.choice([0.0, 1 / 3, 2 / 3, 1.0]),
        "uniform": random.random,
    }[draw]
    for _ in range(400):
        interval = score_interval(fmean(scores() for _ in range(40)), 40, 0.0, 1.0)
        held += mean in interval
    assert held >= 0.93 * 400


def test_a_gain_is_paired_where_all_graded_answers_were_kept() -> None:
    """As ``compared`` has it for 20 rows, of which 6 are won and none is lost."""
    before = [sample(f"q{n}", "", exact=float(n < 8)) for n in range(20)]
    after = [sample(f"q{n}", "", exact=float(n < 14)) for n in range(20)]
    ends = [evaluation(score, None, 20, parts={"exact": 20 * score}) for score in (0.4, 0.7)]
    one = replace(changed(tuned(), before=ends[0], after=ends[1]), samples={"before": before, "after": after})
    [paired] = gains(one)
    assert paired.paired
    assert paired.interval == newcombe(8, 6, 0, 6)
    [apart] = gains(replace(one, samples={"before": before[1:], "after": after}))
    assert not apart.paired
    assert apart.interval is not None
    assert paired.interval is not None
    assert paired.interval.low > 0 > apart.interval.low
    assert (paired.is_better, apart.is_better) == (True, None)


def test_a_gain_is_paired_by_the_scores_of_all_rows_however_few_answers_were_kept() -> None:
    """Those of other evaluations are no part of it, nor is a run whose scores are not those of all rows."""
    scores = [
        {"when": when, "source": "chat", "prompt": f"{n}", "score": float(n < right), "parts": {}}
        for when, right in (("before", 8), ("step", 20), ("after", 14))
        for n in range(20)
    ]
    ends = [evaluation(score, None, 20, parts={"exact": 20 * score}) for score in (0.4, 0.7)]
    one = changed(tuned(), before=ends[0], after=ends[1])
    [paired] = gains(replace(one, logs={**one.logs, "scores": scores}))
    assert paired.paired
    assert paired.interval == newcombe(8, 6, 0, 6)
    [apart] = gains(replace(one, logs={**one.logs, "scores": scores[1:]}))
    assert not apart.paired


@pytest.mark.parametrize("worse", [False, True])
def test_three_rows_that_all_went_one_way_prove_nothing(worse: bool) -> None:
    """Student's interval of the differences is above 0, yet one in eight such triples is so by chance."""
    scores = ([0.0, 0.0, 0.25], [0.5, 0.5, 0.5])
    old, new = reversed(scores) if worse else scores
    ends = [evaluation(fmean(one), None, len(one), parts={}) for one in (old, new)]
    kept = {
        when: [sample(f"q{n}", "") | {"score": score, "parts": {}} for n, score in enumerate(its)]
        for when, its in (("before", old), ("after", new))
    }
    [gain] = gains(replace(changed(tuned(), before=ends[0], after=ends[1]), samples=kept))
    assert gain.paired
    assert gain.interval is not None
    assert gain.interval.high < 0 if worse else gain.interval.low > 0
    assert gain.p == 1 / 8
    assert gain.is_better is None
