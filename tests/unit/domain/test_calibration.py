from __future__ import annotations

from random import Random

import pytest

from cesello.domain.calibration import (
    LEAST,
    UNCALIBRATED,
    Judged,
    calibrated,
    judged,
    outcome,
    threshold_for,
)
from cesello.domain.procedure_match import Known

FOR = Known("q", "a", judged=True)
FOR_NOTHING = Known("q", None, judged=True)


def test_the_threshold_is_above_all_that_was_seen() -> None:
    random = Random(0)
    for _ in range(50):
        scores = [random.gauss(0, 1) for _ in range(random.randrange(LEAST, 200))]
        assert threshold_for(scores) > max(scores)


def test_a_share_of_requests_like_those_is_still_above_it() -> None:
    """Of an exponential tail the estimate is that of the true quantile, within what 1,000 scores tell."""
    random = Random(1)
    found = [threshold_for([random.expovariate(1) for _ in range(1_000)], 1e-4) for _ in range(20)]
    assert sum(found) / 20 == pytest.approx(9.21, rel=0.1)


def test_a_few_requests_say_nothing() -> None:
    assert threshold_for([5.0] * (LEAST - 1)) == UNCALIBRATED


def test_equal_scores_have_a_threshold_above_them() -> None:
    assert threshold_for([0.3] * 50) > 0.3


def test_right_other_and_false_are_counted() -> None:
    found = [
        Judged(FOR, "a", 0.9), Judged(FOR, "b", 0.9), Judged(FOR, "a", 0.1),
        Judged(FOR_NOTHING, "a", 0.6), Judged(FOR_NOTHING, "a", 0.0),
    ]  # fmt: skip
    made = outcome(found, 0.5)
    assert (made.wanted, made.right, made.other, made.unwanted, made.false) == (3, 1, 1, 2, 1)
    assert 1 / 3 in made.right_share
    assert calibrated(found).threshold == UNCALIBRATED


def test_each_request_is_judged_by_what_the_others_say() -> None:
    known = [FOR, Known("near", None, "b", judged=True), Known("example", "a")]
    rows = [[0.2, 0.7, 0.1], [0.9, 0.3, 0.2], [1.0, 0.0, 0.0]]
    found = judged(known, rows, ["a", "b"])
    assert [(one.name, round(one.score, 6)) for one in found] == [("b", 0.6), ("b", 0.1)]
