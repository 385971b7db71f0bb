"""What counts as the same short answer, and what never does."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cesello.domain.short_answer import accepted_of, claimed, is_one_of, is_said, likeness, normal

SAME = [
    (
        "adapters/a.py",
        ["`adapters/a.py`", "./adapters/a.py", "adapters\\a.py", "The adapters/a.py.", "**adapters/a.py**"],
    ),
    ("find", ["`find()`", "find", "'find'", "Find."]),
    ("-1", ["`-1`", "-1.", "“-1”"]),
    ("a, b, *rest", ["a,b,*rest", "`a`, `b` and `*rest`", "a, b, and *rest", "a, b e *rest"]),
    ("dict[str, int]", ["dict[str,int]", "a dict[str, int]"]),
    ("'utf-8'", ['"utf-8"', "utf-8", "`'utf-8'`"]),
    ("__init__", ["`__init__`", "__init__()"]),
    ("...", ["`...`"]),
    ("**kwargs", ["`**kwargs`"]),
]
DIFFERENT = [
    ("-1", "1"), ("a.b", "ab"), ("__init__", "init"), ("a, b", "b, a"), ("a, b", "a"), ("a, b", "a, b, c"),
    ("1.0", "10"), ("../a.py", "a.py"), ("*args", "args"), ("a_b", "ab"), ("x == 1", "x = 1"), ("", "x"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "others"), SAME, ids=lambda one: str(one)[:20])
def test_what_makes_no_difference(answer: str, others: list[str]) -> None:
    for other in others:
        assert normal(other) == normal(answer), other


@pytest.mark.parametrize(("answer", "other"), DIFFERENT)
def test_what_makes_one(answer: str, other: str) -> None:
    assert normal(answer) != normal(other)


@given(st.text(alphabet="ab.,_-'\"`*/\\ ()[]AaThe\n0", max_size=30))
@example("the a")
@example("and and and")
@example("a(),")
def test_it_is_the_same_again_when_it_is_done_twice(text: str) -> None:
    assert normal(normal(text)) == normal(text)


@given(
    st.lists(st.from_regex(r"[b-df-hj-km-z][a-z]{2,5}s", fullmatch=True), min_size=2, max_size=5, unique=True)
)
def test_a_list_of_candidates_is_none_of_them(names: list[str]) -> None:
    for joint in (", ", "\n", " or ", " and ", " / "):
        answer = claimed(joint.join(names))
        assert answer is None or not any(is_one_of(answer, (name,)) for name in names)


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("a.py", "a.py"),
        ("<think>b.py or c.py?</think>\na.py", "a.py"),
        ("It was moved.\nAnswer: a.py", "a.py"),
        ("**Answer:** a.py", "a.py"),
        ("Risposta: a.py\n", "a.py"),
        ("Answer: b.py\nAnswer: a.py", None),
        ("Answer: a.py\nOr another.", "Answer: a.py Or another."),
        ("- a\n- b\n", "a, b"),
        ("1. a\n2. b", "a, b"),
        ("```python\nx = 1\n```", "x = 1"),
        ("", None),
        (" \n\t", None),
        ("Answer:", None),
        ("<think>a.py</think>", None),
        ("Answer:\na.py", "a.py"),
        ("I looked.\n**Answer:**\n\n`a.py`", "`a.py`"),
        ("Answer:\n- a\n- b", "a, b"),
        ("Answer:\na.py\nor b.py", "a.py or b.py"),
    ],
)
def test_the_answer_of_a_completion(completion: str, answer: str | None) -> None:
    assert claimed(completion) == answer


@pytest.mark.parametrize(
    ("reference", "accepted"),
    [
        ({"answers": ["a", "b"]}, ("a", "b")),
        ({"answers": "a"}, ("a",)),
        ({"answer": 42}, ("42",)),
        ({"answers": ["x"], "answer": "y"}, ("x",)),
        ({"answers": ["", " ", "`"]}, ()),
        ({"answers": [True, None, {}]}, ()),
        ({"answers": None}, ()),
        ({}, ()),
    ],
)
def test_the_right_answers_of_a_row(reference: dict[str, object], accepted: tuple[str, ...]) -> None:
    assert accepted_of(reference) == accepted


def test_what_is_said_and_what_is_like_it_are_measured_apart() -> None:
    assert is_said("It is in `core/state.py`, I think.", ("core/state.py",))
    assert not is_said("my_state.pyc", ("state.py",))
    assert likeness("the class State", ("State",)) == pytest.approx(0.5)
    assert likeness("nothing", ("State",)) == 0.0


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("10.0", "10"),
        ("1000", "1_000"),
        ("1e-5", "0.00001"),
        ("`-1.50`", "-1.5"),
        ("0.5.", ".5"),
        ("2E3", "2000"),
    ],
)
def test_a_number_is_its_value(answer: str, right: str) -> None:
    assert is_one_of(answer, (right,))
    assert is_one_of(right, (answer.rstrip("."),))


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("3.1", "'3.10'"),
        ("10", "100"),
        ("1.0.0", "1.0"),
        ("1_", "1"),
        ("0.1", "0.10000001"),
        ("1e9999999999", "1"),
    ],
)
def test_what_is_not_the_same_number(answer: str, right: str) -> None:
    assert not is_one_of(answer, (right,))
