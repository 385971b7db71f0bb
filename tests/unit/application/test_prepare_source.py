"""From a source's rows to rows to train on and rows to hold out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.application.prepare_source import PreparedSource, PrepareSource, RowRules
from cesello.domain.conversation import Conversation, Role
from cesello.domain.errors import DataError, Interrupted
from cesello.domain.source import SourceSpec
from tests.fakes.data import FakeDatasetSource
from tests.fakes.model import FACTS, FakePolicy
from tests.fakes.run import FakeStop, RecordingObserver


def row(question: str, answer: str = "yes") -> dict[str, Any]:
    return {"instruction": question, "response": answer}


def numbered(count: int) -> list[Mapping[str, Any]]:
    return [row(f"question {number}") for number in range(count)]


def prepared(
    rows: Sequence[Mapping[str, Any]],
    rules: RowRules | None = None,
    *,
    observer: RecordingObserver | None = None,
    stop: FakeStop | None = None,
    **spec: Any,
) -> PreparedSource:
    observer = observer or RecordingObserver()
    observer.phase("reading")
    prepare = PrepareSource(observer, stop or FakeStop())
    policy = FakePolicy(FACTS)
    return prepare(FakeDatasetSource(rows, "s"), SourceSpec("s", **spec), policy.encode, rules or RowRules())


def questions(examples: tuple[Any, ...]) -> list[str]:
    return [example.conversation.messages[0].content for example in examples]


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 3))
def test_held_out_rows_are_never_trained_on(count: int, holdout: int, seed: int) -> None:
    made = prepared(numbered(count), RowRules(seed=seed), holdout=holdout)
    train, held = set(questions(made.train)), set(questions(made.held_out))
    assert not train & held
    assert len(train) + len(held) == made.read == count
    assert len(held) == min(holdout, count)


def test_the_split_depends_on_the_seed_and_on_nothing_else() -> None:
    one = prepared(numbered(30), RowRules(seed=1))
    assert prepared(numbered(30), RowRules(seed=1)) == one
    assert set(questions(prepared(numbered(30), RowRules(seed=2)).held_out)) != set(questions(one.held_out))


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=20), st.integers(0, 3))
def test_a_copy_is_used_once_and_counted(letters: list[str], holdout: int) -> None:
    made = prepared([row(letter) for letter in letters], holdout=holdout)
    used = questions((*made.train, *made.held_out))
    assert sorted(used) == sorted(set(letters))
    assert made.dropped.get("exact copy", 0) == len(letters) - len(set(letters))


def test_the_same_question_with_another_answer_is_no_copy() -> None:
    assert len(prepared([row("a", "yes"), row("a", "no")], holdout=0).train) == 2


def test_max_samples_is_a_seeded_sample_of_all_rows() -> None:
    made = prepared(numbered(40), holdout=3, max_samples=10)
    assert (len(made.train), len(made.held_out)) == (7, 3)
    assert made.dropped == {"over max_samples": 30}
    assert set(questions((*made.train, *made.held_out))) != {f"question {number}" for number in range(10)}


def test_lengths_in_characters_are_kept_to_and_counted() -> None:
    rows = [row("a" * length, "b") for length in (1, 4, 5, 9, 10)]
    made = prepared(rows, holdout=0, min_characters=5, max_characters=10)
    assert sorted(map(len, questions(made.train))) == [4, 5, 9]
    assert made.dropped == {"under 5 characters": 1, "over 10 characters": 1}


LONG = [row("short"), row("long", "word " * 20)]


def test_an_overlong_row_is_cut_and_says_so() -> None:
    made = prepared(LONG, RowRules(max_tokens=10), holdout=0)
    assert sorted((len(one.tokens), one.tokens.truncated) for one in made.train) == [(6, False), (10, True)]
    assert made.dropped == {}


def test_an_overlong_row_is_dropped_and_counted() -> None:
    made = prepared(LONG, RowRules(max_tokens=10, overlong="drop"), holdout=0)
    assert questions(made.train) == ["short"]
    assert made.dropped == {"over 10 tokens": 1}


def test_a_row_that_cannot_be_cut_with_a_label_left_is_dropped() -> None:
    messages = [
        {"role": "user", "content": "word " * 20},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "word " * 20},
    ]
    made = prepared([row("short"), {"messages": messages}], RowRules(max_tokens=10), holdout=0)
    assert made.dropped == {"over 10 tokens": 1}


def test_a_row_with_nothing_that_is_trained_is_named() -> None:
    masked = {
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b", "trained": False},
        ]
    }
    with pytest.raises(DataError) as caught:
        prepared([row("a"), masked])
    assert (caught.value.code, caught.value.where) == ("D015", "s:2")
    assert "trained: true" in str(caught.value.fix)


def test_a_source_of_which_nothing_is_left_is_named_with_the_reasons() -> None:
    with pytest.raises(DataError) as caught:
        prepared([row("a"), row("b")], min_characters=5)
    assert (caught.value.code, caught.value.where) == ("D014", 'source "s"')
    assert caught.value.got == "2 under 5 characters"


def test_the_system_prompt_is_for_chats_and_not_for_text() -> None:
    rules = RowRules(system_prompt="Be brief.")
    own = {"messages": [{"role": "system", "content": "Be long."}, {"role": "assistant", "content": "b"}]}
    made = prepared([row("a"), own, {"text": "once upon"}], rules, holdout=0)
    firsts = {first(one.conversation) for one in made.train}
    assert firsts == {(Role.SYSTEM, "Be brief."), (Role.SYSTEM, "Be long."), (Role.ASSISTANT, "once upon")}


def first(conversation: Conversation) -> tuple[Role, str]:
    return conversation.messages[0].role, conversation.messages[0].content


def test_shape_and_columns_of_the_spec_are_used() -> None:
    rows: list[Mapping[str, Any]] = [{"problem": "a", "solution": "b", "text": "c"}]
    columns = {"prompt": "problem", "completion": "solution"}
    made = prepared(rows, shape="prompt_completion", columns=columns, holdout=0)
    assert [turn.content for turn in made.train[0].conversation.messages] == ["a", "b"]


def test_a_malformed_row_is_named() -> None:
    with pytest.raises(DataError, match=r"D012.*turn 1 is empty at s:2"):
        prepared([row("a"), {"text": ""}])


@pytest.mark.parametrize("at", [1, 5, 6, 12])
def test_a_stop_is_heard_while_rows_are_read_and_while_they_are_encoded(at: int) -> None:
    with pytest.raises(Interrupted):
        prepared(numbered(6), stop=FakeStop(at_check=at))


def test_every_row_is_reported() -> None:
    observer = RecordingObserver()
    prepared(numbered(7), observer=observer)
    assert observer.done == [7]
