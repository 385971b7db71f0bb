"""Gradings and grades as JSON, for a sandbox on another machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from .code_tests import Case, CodeTests, Exchange, Grade, Grading, Limits, SandboxTier
from .reward import Verdict


def grading_as_json(grading: Grading) -> dict[str, Any]:
    """What ``grading_from_json`` reads."""
    return asdict(grading)


def grading_from_json(values: Mapping[str, Any]) -> Grading:
    """The same grading.

    Raises:
        ValueError: it is none; says what is wrong.
    """
    try:
        tests = dict(values["tests"])
        cases = tuple(Case(tuple(one["arguments"]), one["expected"]) for one in tests.pop("cases"))
        exchanges = tuple(Exchange(**one) for one in tests.pop("exchanges"))
        made = Grading(
            values["program"],
            CodeTests(**tests, cases=cases, exchanges=exchanges),
            Limits(**values["limits"]),
        )
    except (KeyError, TypeError) as cause:
        raise ValueError(f"no grading: {cause}") from cause
    exchanged = [text for one in exchanges for text in (one.input, one.output)]
    texts = (made.program, made.tests.code, made.tests.setup, *exchanged)
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a program and its tests are text")
    for limit in asdict(made.limits).values():
        if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not limit > 0:
            raise ValueError("limits are numbers above 0")
    return made


def grade_from_json(values: Mapping[str, Any]) -> Grade:
    """The grade that ``asdict`` made these of.

    Raises:
        ValueError: it is none.
    """
    try:
        return Grade(**{**values, "verdict": Verdict(values["verdict"])})
    except (KeyError, TypeError) as cause:
        raise ValueError(f"no grade: {cause}") from cause


def tier_from_json(values: Mapping[str, Any]) -> SandboxTier:
    """The tier that ``asdict`` made these of.

    Raises:
        ValueError: it is none.
    """
    try:
        return SandboxTier(str(values["name"]), tuple(values["stops"]), tuple(values["missing"]))
    except (KeyError, TypeError) as cause:
        raise ValueError(f"no tier: {cause}") from cause
