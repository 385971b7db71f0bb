"""The starter procedures with the real embedder: what finds them, and what finds nothing."""

from __future__ import annotations

import pytest

from benchmarks.procedure_matching import (
    JUDGED,
    Rule,
    cesello_rule,
    found_by,
    requests,
    starter_procedures,
)
from cesello.domain.calibration import Calibration, outcome
from cesello.domain.off_topic import OFF_TOPIC
from cesello.domain.procedure_match import Known, known_requests
from cesello.domain.request_features import normalised
from cesello.entrypoints.container import make_container

Learnt = tuple[Rule, Calibration]


@pytest.fixture(scope="module")
def learnt() -> Learnt:
    """By the calibration half alone."""
    return cesello_rule(starter_procedures(), make_container().embedder(), requests("calibration"))


@pytest.mark.parametrize("part", JUDGED)
def test_of_other_requests_80_of_100_are_right_and_2_of_100_false(learnt: Learnt, part: str) -> None:
    rule, calibration = learnt
    found = outcome(found_by(rule, requests(part)), calibration.threshold)
    assert found.right >= 0.8 * found.wanted
    assert found.false <= 0.02 * found.unwanted


@pytest.mark.parametrize("part", JUDGED)
def test_nothing_that_is_judged_was_known_before(part: str) -> None:
    calibration = [Known(one.query, one.procedure) for one in requests("calibration")]
    known = {one.text.casefold() for one in known_requests(starter_procedures(), calibration)}
    asked = [normalised(one.query).casefold() for one in requests(part)]
    assert len(asked) > 120
    assert not known.intersection(asked)


def test_the_weather_in_rome_is_not_known() -> None:
    assert "What's the weather in Rome?" in [one.query for one in requests("test")]
    assert not [one for one in OFF_TOPIC if one.startswith("What's the weather")]


@pytest.mark.parametrize("request_text", ["hello", "zzz", "What's the weather in Rome?", "", "👍"])
def test_what_is_for_nothing_finds_nothing(learnt: Learnt, request_text: str) -> None:
    rule, calibration = learnt
    assert rule(request_text)[1] < calibration.threshold
