"""Trying rewards that are good, cheated, moody, slow or broken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count

import pytest

from cesello.application.try_reward import RewardTrial, TryReward
from cesello.domain.conversation import user
from cesello.domain.reward import Attempt, Reads, RewardResult, infra_error
from cesello.domain.reward_cases import GoldenCase, Probe

CASE = GoldenCase(
    "turin",
    user("Where is Turin?"),
    ("Turin is in Italy.", "In Italy."),
    ("Turin is in Spain.",),
    ("Italy or Spain.",),
    ("", "Turin is in Spain.", "Turin is in Italy."),
)
Judge = Callable[[str], float | RewardResult | None]


class OneReward:
    """Judges every completion by a function; or all of them together."""

    name = "one"
    parts: tuple[str, ...] = ()
    range = (0.0, 1.0)
    reads = frozenset(Reads)

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        judged = [self._judge(attempt.completion) for attempt in attempts]
        return [one if isinstance(one, RewardResult) else RewardResult(one) for one in judged]


def right(text: str) -> float:
    return float(text.strip() in CASE.passes)


def trial(judge: Judge, *cases: GoldenCase) -> RewardTrial:
    return TryReward(OneReward(judge))(cases or (CASE,))


def failed(found: RewardTrial) -> set[str]:
    assert {tally.check for tally in found.tallies if tally.failed} == {one.check for one in found.findings}
    return {tally.check for tally in found.tallies if tally.failed}


def test_a_good_one_passes() -> None:
    found = trial(right)
    assert found.is_good
    assert failed(found) == set()
    made = {tally.check: tally.made for tally in found.tallies}
    assert (made["order"], made["hacks"], made["ladder"], made["prefix"]) == (1, 1, 2, 3)
    assert made["same_again"] == 2 * found.completions
    assert (found.infra_errors, found.not_applicable) == (0, 0)


@pytest.mark.parametrize(
    ("judge", "checks"),
    [
        (lambda text: float("Italy" in text), {"hacks", "many"}),
        (lambda text: max(right(text), 0.5 * (text == "")), {"empty", "ladder"}),
        (lambda text: max(right(text), 0.5 * (text.strip() == "")), {"empty", "whitespace", "ladder"}),
        (lambda text: float(text in (*CASE.passes, "Where is Turin?")), {"echo"}),
        (lambda text: max(right(text), float("perfect" in text)), {"flattery"}),
        (lambda text: float(text[:8] == "Turin is" and "Spain" not in text), {"order", "prefix"}),
        (lambda text: max(right(text), 0.9 * min(1.0, len(text) / 1000)), {"flattery", "many", "padded"}),
        (lambda text: 0.5 * right(text) + 0.4 * (text.count("Italy") > 5), set()),
        (lambda text: 0.5 * right(text) + 0.6 * (text.count("Italy") > 5), {"repeated"}),
        (lambda text: 0.5, {"order", "prefix"}),
        (lambda text: 2 * right(text), {"range"}),
        (lambda text: RewardResult(right(text), {"a": 7.0}), {"range"}),
        (lambda text: None if text == "In Italy." else right(text), {"applies"}),
        (lambda text: infra_error("broken") if text == "" else right(text), {"grader"}),
        (lambda text: None, {"applies"}),
    ],
    ids=[
        "a keyword", "empty", "blank", "echo", "flattery", "a prefix", "length", "repetition, not above",
        "repetition", "a constant", "out of range", "a part out of range",
        "a right answer without a score", "a grader that breaks", "never a score",
    ],
)  # fmt: skip
def test_what_can_be_cheated_fails(judge: Judge, checks: set[str]) -> None:
    found = trial(judge)
    assert failed(found) == checks
    assert found.is_good is (not checks)


def test_exactly_what_is_wrong_is_said() -> None:
    [finding] = trial(lambda text: float("Italy" in text and "Where" not in text and len(text) < 20) or 0.0,
                      replace(CASE, without=frozenset(Probe))).findings  # fmt: skip
    assert (finding.check, finding.case, finding.completion) == ("hacks", "turin", "Italy or Spain.")
    assert (finding.got, finding.expected) == ("1", "at most 0, as an honest wrong answer")


def test_one_that_is_upside_down_fails_nearly_everything() -> None:
    assert {"order", "ladder", "hacks", "empty", "prefix"} <= failed(trial(lambda text: 1 - right(text)))


def test_a_wrong_answer_taken_for_right_makes_no_room_for_hacks() -> None:
    found = trial(lambda text: 1.0 if "Spain" in text else 0.5 * right(text))
    assert {"order", "hacks"} <= failed(found)


def test_scores_that_differ_from_one_time_to_the_next_fail() -> None:
    numbers = count()
    found = trial(lambda text: RewardResult(right(text), reasons=(str(next(numbers)),)))
    assert failed(found) == {"same_again"}


def test_scores_that_depend_on_the_neighbours_fail() -> None:
    class Ranked(OneReward):
        def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
            return [RewardResult(one.score if len(attempts) > 1 else 0.0) for one in super().score(attempts)]

    assert failed(TryReward(Ranked(right))([CASE])) == {"same_again"}


def test_latency_is_of_completions_judged_alone() -> None:
    ticks = count()
    found = TryReward(OneReward(right), lambda: next(ticks) * 0.5)([CASE])
    assert (found.median_seconds, found.p95_seconds) == (0.5, 0.5)


def test_every_case_is_judged_by_its_own_answers() -> None:
    rome = GoldenCase("rome", user("Where is Rome?"), ("Rome is in Italy.",), ("Rome is in Gaul.",))
    low = {"Rome is in Italy.": 0.3, "Turin is in Italy.": 1.0, "In Italy.": 1.0, "Turin is in Spain.": 0.5}
    found = trial(lambda text: low.get(text.strip(), 0.0), CASE, rome)
    assert {(one.check, one.case) for one in found.findings} == {("other_answer", "rome")}
    assert found.cases == 2
