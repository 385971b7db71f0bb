from __future__ import annotations

from cesello.adapters.logs.known_steps import KnownSteps


def test_a_name_that_was_never_logged_is_fresh() -> None:
    assert KnownSteps().fresh(0, {"train/loss": 0.5}) == {"train/loss": 0.5}


def test_what_is_there_is_not_logged_again() -> None:
    known = KnownSteps()
    known.add(6, ["train/loss", "train/perplexity"])
    known.add(4, ["train/loss", "eval/a/loss"])
    figures = {"train/loss": 1.0, "train/perplexity": 2.0, "eval/a/loss": 3.0}
    assert known.fresh(4, figures) == {}
    assert known.fresh(6, figures) == {"eval/a/loss": 3.0}
    assert known.fresh(7, figures) == figures
