from __future__ import annotations

from dataclasses import replace

from cesello.domain.report_verdict import verdict
from tests.recorded_runs import changed, evaluation, reinforced, searched, tuned


def test_a_fine_tuning_is_told_by_its_scores_and_losses() -> None:
    score, loss = verdict(tuned())
    assert score.startswith("On 100 held-out rows of chat the score went from 0.200 to 0.800, +0.600 (95 %: ")
    assert score.endswith(": clearly better.")
    assert loss == "The held-out loss: chat 3.000 → 2.000."


def test_several_sources_are_counted() -> None:
    before, after = evaluation(None, 3.0), evaluation(None, 2.0)
    before["losses"]["code"], after["losses"]["code"] = {"loss": 1.0}, {"loss": 1.5}
    [loss] = verdict(changed(tuned(), before=before, after=after))
    assert loss == "The held-out loss fell in 1 of 2 sources: chat 3.000 → 2.000, code 1.000 → 1.500."


def test_a_reinforcement_is_told_by_its_reward_first() -> None:
    said = verdict(changed(reinforced(), before=None, after=None))
    assert said[0].startswith(
        "The mean reward of a drawn answer went from 0.325 in the first 5 steps to 0.617"
    )
    assert said[0].endswith("clearly more.")


def test_the_loss_of_rows_is_not_what_a_reinforcement_is_for() -> None:
    losses = {"before": evaluation(0.2, 3.264), "after": evaluation(0.8, 4.268)}
    said = verdict(changed(reinforced(), **losses))
    assert any("the score went from 0.200 to 0.800" in one for one in said)
    assert not any("loss" in one for one in said)


def test_a_search_is_told_by_its_test() -> None:
    said = verdict(searched())
    assert said == (
        "A better prompt was proven on tasks that the search has never seen.",
        "On 20 held-out tasks the score went from 0.400 to 0.700, +0.300 (95 %: +0.100 to +0.500), "
        "one-sided p 0.01.",
    )


def test_a_search_that_found_nothing_says_so() -> None:
    search = {"verdict": "keep yours", "before": 0.4, "after": None, "test_tasks": 20, "interval": None}
    said = verdict(changed(searched(), search=search))
    assert said[1] == "The first prompt scores 0.400 on 20 held-out tasks."


def test_how_it_stands_comes_first_where_it_is_not_whole() -> None:
    one = changed(tuned(), steps=12, error="no room", after=None)
    assert verdict(replace(one, status="interrupted"))[0] == (
        "It was stopped at step 40 of 40 and can be gone on with."  # the log knows more than the manifest
    )
    assert verdict(replace(one, status="failed"))[0] == "It failed at step 40 of 40: no room."
    assert verdict(replace(one, status="running"))[0] == "It is running: step 40 of 40."
    assert verdict(replace(one, status="running"))[1] == (
        "Before the training the score on 100 held-out rows of chat is 0.200."
    )
