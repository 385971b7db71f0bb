"""What a grader may know of a row, taken from its columns."""

from __future__ import annotations

import pytest

from cesello.domain.errors import DataError
from cesello.domain.row_reference import reference_of
from cesello.domain.row_shapes import to_conversation
from cesello.domain.source import SourceRow

ROW = SourceRow("rows:7", {"prompt": "1 + 1?", "completion": "2", "solution": "2", "hint": None})


def test_columns_become_facts_under_the_names_a_reward_knows() -> None:
    assert reference_of(ROW, {"answer": "solution", "prompt": "prompt"}) == {
        "answer": "2",
        "prompt": "1 + 1?",
    }
    assert reference_of(ROW, {}) == {}


def test_what_a_row_leaves_empty_is_no_fact_of_it() -> None:
    assert reference_of(ROW, {"answer": "solution", "hint": "hint"}) == {"answer": "2"}


def test_the_task_of_the_source_is_a_fact_of_every_row() -> None:
    assert reference_of(ROW, {"answer": "solution"}, "math") == {"answer": "2", "task": "math"}


def test_a_column_the_row_lacks_is_named_with_those_it_has() -> None:
    with pytest.raises(DataError) as caught:
        reference_of(ROW, {"answer": "soluton"})
    message = str(caught.value)
    assert message.startswith('error[D011] a row has no column "soluton" at rows:7')
    assert "completion, hint, prompt, solution" in message
    assert "correct reference.answer of the source" in message


def test_facts_go_beside_those_the_row_brings_and_before_them() -> None:
    values = {"prompt": "q", "completion": "a", "reference": {"answer": "old", "kept": 1}}
    conversation = to_conversation(SourceRow("r:1", values), "auto", {}, {"answer": "new"})
    assert conversation.reference == {"answer": "new", "kept": 1}


def test_facts_are_kept_with_shapes_that_have_none_of_their_own() -> None:
    values = {"instruction": "q", "response": "a"}
    assert to_conversation(SourceRow("r:1", values), "auto", {}, {"answer": 4}).reference == {"answer": 4}


def test_facts_that_are_no_plain_data_are_a_malformed_row() -> None:
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(DataError, match=r"D012.*reference is not plain JSON"):
        to_conversation(SourceRow("r:1", {"prompt": "q"}), "prompt", {}, {"tests": circle})
