"""Patterns and schemas, on text that was written to make them hang."""

from __future__ import annotations

from typing import Any

import pytest

from cesello.adapters.reward.format_reward import FormatReward
from cesello.domain.conversation import user
from cesello.domain.errors import UsageError
from cesello.domain.reward import Attempt, RewardResult

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}, "tags": {"uniqueItems": True}},
    "required": ["name"],
}


def score(completion: str, **options: Any) -> RewardResult:
    [result] = FormatReward(**options).score([Attempt(user("Go on."), completion)])
    return result


@pytest.mark.parametrize(
    ("completion", "value"), [("<a>x</a>", 1), (" <a>x\ny</a>\n", 1), ("<a>x</a> more", -1), ("", -1)]
)
def test_all_of_a_completion_matches_the_pattern(completion: str, value: float) -> None:
    result = score(completion, pattern="<a>.*</a>")
    assert result.score == value
    assert dict(result.parts) == {"matches": float(value > 0)}
    assert result.reasons == (() if value > 0 else ("no_match",))


@pytest.mark.parametrize(
    ("completion", "value", "reason"),
    [
        ('{"name": "Ada"}', 1, None),
        ('{"name": "Ada", "tags": [1, true, "1", [1]]}', 1, None),
        ('{"name": "ada"}', -0.5, "schema:pattern"),
        ('{"name": 1}', -0.5, "schema:type"),
        ("{}", -0.5, "schema:required"),
        ("[]", -0.5, "schema:type"),
        ('{"name": "Ada", "tags": [1, 2, 1.0]}', -0.5, "schema:uniqueItems"),
        ('{"name": "Ada", "tags": [{"a": 1, "b": 2}, {"b": 2, "a": 1}]}', -0.5, "schema:uniqueItems"),
        ('Sure: {"name": "Ada"}', -1, "invalid_json"),
        ('{"name": "Ada"', -1, "invalid_json"),
        ('{"name": NaN}', -1, "invalid_json"),
        ("", -1, "invalid_json"),
        ("[" * 101 + "]" * 101, -1, "too_deep"),
        ("9" * 200_001, -1, "too_long"),
    ],
)
def test_a_completion_is_json_of_the_schema(completion: str, value: float, reason: str | None) -> None:
    result = score(completion, json_schema=PERSON)
    assert (result.score, result.reasons) == (value, (reason,) if reason else ())
    assert dict(result.parts) == {"valid_json": float(value > -1), "matches": float(value == 1)}


@pytest.mark.timeout(120)
def test_a_search_without_end_is_no_match() -> None:
    assert score("a" * 40 + "!", pattern="(a+)+b").reasons in (("pattern_timeout",), ("no_match",))
    assert score("a" * 5_000 + "!", pattern="(a|a)*$").score == -1
    hostile = {"type": "string", "pattern": "^(a|aa)+$"}
    assert score('"' + "a" * 5_000 + '!"', json_schema=hostile).reasons == ("schema:pattern",)


def test_a_schema_that_calls_itself_is_followed_and_one_elsewhere_is_not() -> None:
    tree = {"$defs": {"t": {"type": "array", "items": {"$ref": "#/$defs/t"}}}, "$ref": "#/$defs/t"}
    assert score("[[], [[]]]", json_schema=tree).score == 1
    assert score("[[], [1]]", json_schema=tree).score == -0.5
    assert score("1", json_schema={"$ref": "http://127.0.0.1:9/schema"}).reasons == ("schema:failed",)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({}, "C083"),
        ({"pattern": "a", "json_schema": {}}, "C083"),
        ({"pattern": "(a"}, "C084"),
        ({"json_schema": {"type": "text"}}, "C085"),
        ({"json_schema": {"patternProperties": {"a": {}}}}, "C085"),
        ({"json_schema": {"properties": {"a": {"pattern": "(a"}}}}, "C085"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], code: str) -> None:
    with pytest.raises(UsageError, match=code):
        FormatReward(**options)
