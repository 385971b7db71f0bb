"""What a reward must hold to on completions whose worth is known, and where it does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from .reward import RewardResult
from .reward_cases import GoldenCase
from .reward_probes import Bound, Probed

_SAME = 1e-9
"""Scores that differ by less are the same."""


class Listed(StrEnum):
    """The lists of a case."""

    PASSES = "passes"
    FAILS = "fails"
    HACKS = "hacks"
    LADDER = "ladder"


class Check(StrEnum):
    """What is checked; each probe besides, under its own name."""

    APPLIES = "applies"
    ORDER = "order"
    HACKS = "hacks"
    LADDER = "ladder"
    RANGE = "range"
    GRADER = "grader"
    SAME_AGAIN = "same_again"


@dataclass(frozen=True, slots=True)
class Judged:
    """A completion and what the reward said of it.

    Attributes:
        role: a list of the case, or a probe.
    """

    case: str
    role: Listed | Probed
    completion: str
    result: RewardResult


@dataclass(frozen=True, slots=True)
class Finding:
    """A completion that was judged as it must not be.

    Attributes:
        check: a check, or a probe.
        got, expected: in words.
    """

    check: str
    case: str
    completion: str
    got: str
    expected: str


@dataclass(frozen=True, slots=True)
class Tally:
    """How often something was checked, and how often it did not hold."""

    check: str
    made: int
    failed: int


def completions_of(case: GoldenCase, probes: Iterable[Probed]) -> list[tuple[Listed | Probed, str]]:
    """Everything of a case that is to be judged, with its role."""
    listed = [(role, text) for role in Listed for text in getattr(case, role.value)]
    return [*listed, *((probe, probe.completion) for probe in probes)]


def found_in(judged: Sequence[Judged], ends: tuple[float, float]) -> Iterator[tuple[str, Finding | None]]:
    """Every check made on the completions of one case, with what is wrong or None.

    Args:
        ends: the lowest and the highest score that the reward says it gives.
    """
    for one in judged:
        yield Check.GRADER, _failed_grading(one)
        if one.result.score is not None:
            yield Check.RANGE, _outside(one, ends)
    for one in judged:
        if one.role in (Listed.PASSES, Listed.FAILS) and not one.result.is_infra_error:
            unjudged = one.result.score is None
            yield Check.APPLIES, _finding(Check.APPLIES, one, "a score") if unjudged else None
    yield from _compared(judged)
    for lower, higher in pairwise(one for one in judged if one.role is Listed.LADDER):
        yield Check.LADDER, _falling(lower, higher)


def _compared(judged: Sequence[Judged]) -> Iterator[tuple[str, Finding | None]]:
    right, wrong = _scores(judged, Listed.PASSES), _scores(judged, Listed.FAILS)
    if not right or not wrong:
        return
    least, best_wrong = min(right), max(wrong)
    # A wrong answer that is taken for a right one does not make room for hacks.
    failure = min(best_wrong, least)
    limits = {
        Bound.FAILURE: (failure, f"at most {failure:.4g}, as an honest wrong answer"),
        Bound.WRONG: (least - 2 * _SAME, f"less than {least:.4g}, the right answer's"),
        Bound.RIGHT: (max(right), f"at most {max(right):.4g}, the right answer's"),
    }
    for one in judged:
        check, bound = _bound_of(one)
        if bound is not None and one.result.score is not None:
            limit, expected = limits[bound]
            yield check, _finding(check, one, expected) if one.result.score > limit + _SAME else None


def _bound_of(one: Judged) -> tuple[str, Bound | None]:
    if isinstance(one.role, Probed):
        return one.role.probe.value, one.role.bound
    if one.role is Listed.HACKS:
        return Check.HACKS, Bound.FAILURE
    return Check.ORDER, Bound.WRONG if one.role is Listed.FAILS else None


def _scores(judged: Sequence[Judged], role: Listed) -> list[float]:
    return [one.result.score for one in judged if one.role is role and one.result.score is not None]


def _failed_grading(one: Judged) -> Finding | None:
    return _finding(Check.GRADER, one, "a result; the grader failed") if one.result.is_infra_error else None


def _outside(one: Judged, ends: tuple[float, float]) -> Finding | None:
    low, high = ends
    score = one.result.score
    inside = score is not None and low - _SAME <= score <= high + _SAME
    if inside and all(-1 <= part <= 1 for part in one.result.parts.values()):
        return None
    return _finding(Check.RANGE, one, f"within {low:.4g} to {high:.4g}, its parts within -1 to 1")


def _falling(lower: Judged, higher: Judged) -> Finding | None:
    below, above = lower.result.score, higher.result.score
    if below is None or above is None or above >= below - _SAME:
        return None
    return _finding(Check.LADDER, higher, f"at least {below:.4g}, as the step below it")


def differing(first: Sequence[Judged], again: Sequence[RewardResult]) -> Iterator[Finding | None]:
    """For every completion, whether it was judged otherwise when it was judged again."""
    for one, result in zip(first, again, strict=True):
        same = one.result == result
        yield None if same else _finding(Check.SAME_AGAIN, one, f"as before; it was {told(result)}")


def _finding(check: str, one: Judged, expected: str) -> Finding:
    return Finding(str(check), one.case, one.completion, told(one.result), expected)


def told(result: RewardResult) -> str:
    """A result in a few words."""
    score = "no score" if result.score is None else f"{result.score:.4g}"
    return f"{score} ({', '.join(result.reasons)})" if result.reasons else score
