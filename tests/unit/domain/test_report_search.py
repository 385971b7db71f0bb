from __future__ import annotations

from dataclasses import replace
from typing import Any

from cesello.domain.report_gains import score_interval
from cesello.domain.report_search import SearchView, search_view
from tests.recorded_runs import searched, tuned


def view(**more: Any) -> SearchView:
    one = searched()
    made = search_view(replace(one, search={**one.search, **more}))
    assert made is not None
    return made


def test_candidates_stand_behind_the_one_that_they_were_made_from() -> None:
    first, better, refused = view().candidates
    assert [one.depth for one in (first, better, refused)] == [0, 1, 2]
    assert [one.role for one in (first, better, refused)] == ["seed", "best", ""]
    assert better.parents == (first.id,)
    assert refused.rejected == "too short"
    assert refused.interval is None


def test_a_mean_comes_with_an_interval_that_holds_it() -> None:
    better = view().candidates[1]
    assert better.interval is not None
    assert better.interval.low < 0.7 < better.interval.high


def test_scores_of_a_search_have_one_range_whatever_their_sign() -> None:
    better, worse = ({"proposer": "rules", "trials": 23, "mean": mean} for mean in (0.2, -0.2))
    wide = score_interval(0.2, 23, -1.0, 1.0)
    assert view(candidates=[better, worse]).candidates[0].interval == wide
    assert view(candidates=[better], lowest=-0.5).candidates[0].interval == wide
    figure = {"mean": 0.2, "tasks": 12, "interval": {"low": 0.2, "high": 0.2}}
    [tested] = view(test=None, seed_figure=figure, candidates=[better, worse]).tested
    its = score_interval(0.2, 12, -1.0, 1.0)
    assert (tested.low, tested.high) == (its.low, its.high)


def test_a_test_below_zero_tells_the_range_of_the_candidates_too() -> None:
    test = {"old": {"mean": -0.1, "tasks": 24}, "new": {"mean": 0.2, "tasks": 24}}
    [one] = view(candidates=[{"trials": 23, "mean": 0.2}], test=test).candidates
    assert one.interval == score_interval(0.2, 23, -1.0, 1.0)


def test_the_test_the_diff_and_the_cost_are_told() -> None:
    made = view()
    assert [one.name for one in made.tested] == ["first prompt", "best prompt"]
    assert (made.gain, made.interval, made.p, made.wins) == (0.3, (0.1, 0.5), 0.01, 7)
    assert "+Answer briefly." in made.diff["system"]
    assert made.spent[0]["rollouts"] == 40
    assert made.budget["search"] == 60


def test_without_a_test_the_first_prompt_alone_has_a_score() -> None:
    figure = {"mean": 0.4, "tasks": 20, "interval": {"low": 0.1, "high": 0.6}}
    made = view(test=None, seed_figure=figure)
    assert [(one.name, one.mean) for one in made.tested] == [("first prompt", 0.4)]
    assert (made.gain, made.interval) == (None, None)


def test_a_first_prompt_that_always_scored_the_same_has_an_interval_with_a_width() -> None:
    figure = {"mean": 1.0, "tasks": 12, "interval": {"low": 1.0, "high": 1.0}}
    [tested] = view(test=None, seed_figure=figure).tested
    assert tested.low is not None
    assert (tested.low < 0.8, tested.high) == (True, 1.0)


def test_candidates_that_are_their_own_parents_are_shown_once() -> None:
    one = searched()
    ring = [dict(each) for each in one.search["candidates"]]
    ids = [candidate.id for candidate in view().candidates]
    ring[0]["parents"], ring[1]["parents"] = [ids[1]], [ids[0]]
    made = view(candidates=ring)
    assert len(made.candidates) == 3


def test_what_is_no_program_has_no_id_and_is_still_shown() -> None:
    made = view(candidates=[{"program": {"system": 3}, "proposer": "rules"}])
    assert [(one.id, one.trials) for one in made.candidates] == [("", 0)]


def test_of_too_many_candidates_the_first_are_shown() -> None:
    made = view(candidates=[{"proposer": "rules"}] * 450)
    assert (len(made.candidates), made.left_out) == (400, 50)


def test_a_training_searches_nothing() -> None:
    assert search_view(tuned()) is None
