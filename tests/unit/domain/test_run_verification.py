"""How what was found of a run is named."""

from __future__ import annotations

import pytest

from cesello.domain.checkpoint import Difference
from cesello.domain.errors import DataError, Place
from cesello.domain.run_verification import Check, Part, RunVerification, difference_text, part_of, sentence


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("data", Part.DATA),
        ("library torch", Part.LIBRARIES),
        ("memory retrieve", Part.MEMORY),
        ("memory search", Part.MEMORY),
        ("recipe memory.procedures", Part.PROCEDURES),
        ("recipe data.prompt", Part.PROMPT),
        ("recipe training.max_steps", Part.RECIPE),
        ("own code rows:tickets", Part.RECIPE),
        ("tokenizer", Part.BASE),
    ],
)
def test_each_name_of_an_identity_is_of_a_part(name: str, part: Part) -> None:
    assert part_of(name) is part


def test_procedures_are_told_version_by_version() -> None:
    stored = '"full: debug 11111111, review 22222222; 0123456789abcdef"'
    now = '"full: deploy 44444444, review 33333333; fedcba9876543210"'
    assert difference_text(Difference("recipe memory.procedures", stored, now)) == (
        "debug: version 11111111 then, in use no more; deploy: not there then, version 44444444 now; "
        "review: version 22222222 then, 33333333 now"
    )


def test_procedures_of_the_same_versions_differ_by_what_finds_them() -> None:
    stored, now = '"full: debug 11111111; 01"', '"full: debug 11111111; 02"'
    told = difference_text(Difference("recipe memory.procedures", stored, now))
    assert told == f"memory.procedures: {stored} then, {now} now"


def test_a_long_value_is_cut() -> None:
    told = difference_text(Difference("recipe data.system_prompt", "a" * 500, None))
    assert told == f"data.system_prompt: {'a' * 80}… then, nothing now"


def test_a_check_has_one_state() -> None:
    assert Check(Part.DATA, "as it was").state == "whole"
    assert Check(Part.DATA, unchecked="it is elsewhere").state == "not checked"
    assert Check(Part.DATA, changes=("another",), unchecked="it is elsewhere").state == "changed"


def test_a_run_is_whole_where_nothing_has_changed() -> None:
    whole, unchecked = Check(Part.WEIGHTS, "1 of 1"), Check(Part.DATA, unchecked="it is elsewhere")
    changed = Check(Part.RECIPE, changes=("another",))
    assert RunVerification("1", "a", "runs/1", (whole, unchecked)).is_whole
    assert RunVerification("1", "a", "runs/1", (whole, changed)).changed == (changed,)


def test_an_error_becomes_one_thing_among_others() -> None:
    error = DataError("D003", "broken JSON", where=Place("rows.jsonl", 3), got="}", fix="mend it")
    assert sentence(error) == "broken JSON at rows.jsonl:3 (})"
