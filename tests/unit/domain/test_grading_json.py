from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from cesello.domain.code_tests import Case, CodeTests, Exchange, Grade, Grading, Limits, SandboxTier
from cesello.domain.grading_json import grade_from_json, grading_as_json, grading_from_json, tier_from_json
from cesello.domain.reward import Verdict

GRADINGS = [
    Grading("x", CodeTests(code="assert x", setup="import math", entry_point="x"), Limits(wall=2.5)),
    Grading("x", CodeTests(entry_point="x", cases=(Case((1, "a"), None),))),
    Grading("x", CodeTests(exchanges=(Exchange("1", "2"),)), Limits(cpu=1, memory=2**20, output=9)),
]


def travelled(values: Any) -> Any:
    return json.loads(json.dumps(values))


@pytest.mark.parametrize("grading", GRADINGS)
def test_a_grading_arrives_as_it_was(grading: Grading) -> None:
    assert grading_from_json(travelled(grading_as_json(grading))) == grading


def test_a_grade_and_a_tier_arrive_as_they_were() -> None:
    grade = Grade(Verdict.LIMIT, 1, 2, "memory", "too much", 0.5)
    tier = SandboxTier("landlock", ("a", "b"), ("c",))
    assert grade_from_json(travelled(asdict(grade))) == grade
    assert tier_from_json(travelled(asdict(tier))) == tier


@pytest.mark.parametrize(
    "change",
    [
        {"program": 7},
        {"tests": {"cases": [], "exchanges": []}, "limits": {"wall": True}},
        {"limits": {"wall": -1}},
        {"limits": {"wall": float("nan")}},
        {"limits": {"unknown": 1}},
        {"tests": {}},
        {"tests": None},
        {"tests": {"cases": [{"arguments": []}], "exchanges": []}},
    ],
)
def test_what_is_no_grading_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        grading_from_json(grading_as_json(GRADINGS[0]) | change)


@pytest.mark.parametrize("values", [{}, {"verdict": "splendid"}, {"verdict": "passed", "more": 1}])
def test_what_is_no_grade_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        grade_from_json(values)
