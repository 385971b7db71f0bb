"""The grammar of `when:`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.condition import DEEPEST, LONGEST, ConditionError, Value, parse

VALUES: dict[str, Value] = {
    "steps.a.ok": True,
    "steps.b.ok": False,
    "steps.re-run.exit_code": 2,
    "inputs.language": "python",
    "language": "python",
    "inputs.empty": "",
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("steps.a.ok", True),
        ("not steps.a.ok", False),
        ("not not steps.a.ok", True),
        ("steps.a.ok and steps.b.ok", False),
        ("steps.a.ok or steps.b.ok", True),
        ("steps.b.ok and steps.b.ok or steps.a.ok", True),  # and binds closer than or
        ("steps.b.ok and (steps.b.ok or steps.a.ok)", False),
        ("not steps.b.ok and steps.a.ok", True),  # not binds closer than and
        ("not (steps.a.ok and steps.b.ok)", True),
        ("not language == 'perl'", True),  # a comparison binds closer than not
        ('inputs.language == "python"', True),
        ("inputs.language != 'python'", False),
        ('language in ["go", "python"]', True),
        ("language in []", False),
        ('"yth" in language', True),
        ("2 in [1, 2.0]", True),
        ("steps.re-run.exit_code < 3", True),
        ("steps.re-run.exit_code >= 2", True),
        ("steps.re-run.exit_code > 2.5", False),
        ("steps.re-run.exit_code == -2", False),
        ('"a" < "b"', True),
        ("true", True),
        ("false", False),
        ("inputs.empty", False),
        ("steps.a.ok == true", True),
        ("1 == true", False),
        ('"1" == 1', False),
        ('"1" != 1', True),
        ('"1" < 2', False),
        ("missing", False),
        ("not missing", True),
        ("missing == missing", False),
        ("missing < 3", False),
        ("missing in ['a']", False),
        ("\"and\" == 'and'", True),
    ],
)
def test_a_condition_holds(text: str, holds: bool) -> None:
    assert parse(text).holds(VALUES) is holds


def test_its_names_are_known_with_their_columns() -> None:
    assert parse("not steps.a-b.ok and (c or c)").names == {"steps.a-b.ok": 5, "c": 23}


@pytest.mark.parametrize(
    ("text", "what", "column"),
    [
        ("", "a value is missing", 1),
        ("a and", "a value is missing", 6),
        ("a = b", "equality is ==", 3),
        ("a && b", "write and", 3),
        ("a | b", "write or", 3),
        ("!a", "write not", 1),
        ("a < b < c", "two sides", 7),
        ("a b", "one too many", 3),
        ("(a", ") is missing", 3),
        ("a)", "one too many", 2),
        ("[1, 2", "] is missing", 6),
        ("a in [b]", "a value is missing", 7),
        ('"open', "a text ends", 1),
        ('"a\\"b"', "a text ends", 1),
        ("a == and", "a value is missing", 6),
        ("a.b.", "no meaning", 4),
        ("f(1)", "one too many", 2),
        ("a + b", "no meaning", 3),
        ("{a}", "no meaning", 1),
        ("a;b", "no meaning", 2),
        ("è", "no meaning", 1),
        ("__import__('os')", "one too many", 11),
    ],
)
def test_what_cannot_be_read_is_told_with_its_column(text: str, what: str, column: int) -> None:
    with pytest.raises(ConditionError, match=f"at character {column}$") as caught:
        parse(text)
    assert what in str(caught.value)
    assert caught.value.column == column


def test_length_and_depth_have_an_end() -> None:
    parse("a or " * ((LONGEST - 1) // 5) + "a")
    parse("(" * DEEPEST + "a" + ")" * DEEPEST)
    for text in ("a" * (LONGEST + 1), "(" * (DEEPEST + 1) + "a" + ")" * (DEEPEST + 1), "not " * 22 + "a"):
        with pytest.raises(ConditionError):
            parse(text)


@pytest.mark.parametrize(
    ("text", "can"),
    [
        ("false", False),
        ("1 > 2", False),
        ("steps.a.ok and not steps.a.ok", False),
        ("steps.a.ok and not (steps.b.ok or steps.a.ok)", False),
        ("steps.a.ok and not steps.b.ok", True),
        ("not steps.a.ok", True),
        ('inputs.x == "a" and inputs.x == "b"', True),
    ],
)
def test_what_never_holds_is_seen(text: str, can: bool) -> None:
    assert parse(text).can_hold() is can


@given(st.text(st.sampled_from("ab.-_ ()[],'\"<>=!12 andornotintruefalse\n\\"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    condition = column = None
    try:
        condition = parse(text)
    except ConditionError as problem:
        column = problem.column
    if condition is None:
        assert column is not None
        assert 1 <= column <= len(text) + 1
    else:
        assert condition.holds({}) in (True, False)
        assert condition.holds(dict.fromkeys(condition.names, 1)) in (True, False)


@pytest.mark.parametrize("text", ['inputs.ok == "yes"', 'inputs.steps.ok == "yes"', "steps.a.ok == (1 == 1)"])
def test_only_whether_a_step_succeeded_is_true_or_false(text: str) -> None:
    assert parse(text).can_hold()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("inputs.count == 3", ["text == a number"]),
        ('a and (steps.b.ok == "yes" or not steps.b.exit_code < "1")', [
            "true or false == text", "a number < text",
        ]),
        ("steps.b.output in [1, true]", ["text is in no list of a number and true or false"]),
        ("steps.b.exit_code in inputs.x", ["a number in text"]),
        ('inputs.x == "1" and steps.b.exit_code in [0, 5] and "e" in steps.b.output', []),
        ("steps.b.ok == true", []),
        ('inputs.x in []', []),
        ('inputs.x in ["a", 1]', []),
    ],
)  # fmt: skip
def test_values_of_two_kinds_are_told(text: str, told: list[str]) -> None:
    assert list(parse(text).senseless()) == told
