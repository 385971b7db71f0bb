"""From a source's rows to rows to train on and rows to hold out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.application.prepare_source import Ask, PreparedSource, PrepareSource, RowRules
from cesello.application.read_source import OnProblem
from cesello.domain import code_tests
from cesello.domain.conversation import Conversation, Role
from cesello.domain.errors import DataError, Interrupted
from cesello.domain.example import Example
from cesello.domain.generation import Completion, Sampling
from cesello.domain.prompt_program import Demo, PromptProgram
from cesello.domain.row_slice import RowSlice
from cesello.domain.source import Replay, SourceSpec
from tests.fakes.data import FakeDatasetSource
from tests.fakes.examples import FakeExampleStore
from tests.fakes.model import FakeEncoder
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
    store: FakeExampleStore | None = None,
    ask: Ask | None = None,
    answered_by: str | None = "",
    on_problem: OnProblem | None = None,
    **spec: Any,
) -> PreparedSource:
    prepare = PrepareSource(store or FakeExampleStore(), observer or RecordingObserver(), stop or FakeStop())
    return prepare(
        FakeDatasetSource(rows, "s"),
        SourceSpec("s", **spec),
        FakeEncoder(),
        rules or RowRules(),
        ask=ask,
        answered_by=answered_by,
        on_problem=on_problem,
    )


def train(made: PreparedSource) -> list[Example]:
    return [made.examples.example(index) for index in made.train]


def questions(examples: Sequence[Example]) -> list[str]:
    return [example.conversation.messages[0].content for example in examples]


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 3))
def test_held_out_rows_are_never_trained_on(count: int, holdout: int, seed: int) -> None:
    made = prepared(numbered(count), RowRules(seed=seed), holdout=holdout)
    trained, held = set(questions(train(made))), set(questions(made.held_out()))
    assert not trained & held
    assert len(trained) + len(held) == made.read == count
    assert len(held) == min(holdout, count)


def test_the_split_depends_on_the_seed_and_on_nothing_else() -> None:
    one = prepared(numbered(30), RowRules(seed=1))
    assert prepared(numbered(30), RowRules(seed=1)) == one
    assert set(questions(prepared(numbered(30), RowRules(seed=2)).held_out())) != set(
        questions(one.held_out())
    )


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=20), st.integers(0, 3))
def test_a_copy_is_used_once_and_counted(letters: list[str], holdout: int) -> None:
    made = prepared([row(letter) for letter in letters], holdout=holdout)
    used = questions([*train(made), *made.held_out()])
    assert sorted(used) == sorted(set(letters))
    assert made.dropped.get("exact copy", 0) == len(letters) - len(set(letters))


def test_the_same_question_with_another_answer_is_no_copy() -> None:
    assert len(prepared([row("a", "yes"), row("a", "no")], holdout=0).train) == 2


def test_max_samples_is_a_seeded_sample_of_all_rows() -> None:
    made = prepared(numbered(40), holdout=3, max_samples=10)
    assert (len(made.train), len(made.held_out())) == (7, 3)
    assert made.dropped == {"over max_samples": 30}
    assert set(questions([*train(made), *made.held_out()])) != {f"question {number}" for number in range(10)}


def test_lengths_in_characters_are_kept_to_and_counted() -> None:
    rows = [row("a" * length, "b") for length in (1, 4, 5, 9, 10)]
    made = prepared(rows, holdout=0, min_characters=5, max_characters=10)
    assert sorted(map(len, questions(train(made)))) == [4, 5, 9]
    assert made.dropped == {"under 5 characters": 1, "over 10 characters": 1}


LONG = [row("short"), row("long", "word " * 20)]


def test_an_overlong_row_is_cut_and_says_so() -> None:
    made = prepared(LONG, RowRules(max_tokens=10), holdout=0)
    assert sorted((len(one.tokens), one.tokens.truncated) for one in train(made)) == [(6, False), (10, True)]
    assert made.dropped == {}


def test_an_overlong_row_is_dropped_and_counted() -> None:
    made = prepared(LONG, RowRules(max_tokens=10, overlong="drop"), holdout=0)
    assert questions(train(made)) == ["short"]
    assert made.dropped == {"over 10 tokens": 1}


def test_an_answer_in_the_middle_of_an_overlong_row_is_kept() -> None:
    messages = [
        {"role": "user", "content": "word " * 20},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "word " * 20},
    ]
    [made] = train(prepared([{"messages": messages}], RowRules(max_tokens=10), holdout=0))
    assert made.tokens.trained_tokens == 2


def test_a_row_that_cannot_be_cut_with_a_label_left_is_dropped() -> None:
    made = prepared([{"text": "word"}, row("a", "word " * 20)], RowRules(max_tokens=1), on_problem=print)
    assert made.dropped == {"over 1 tokens": 2}


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
    firsts = {first(one.conversation) for one in train(made)}
    assert firsts == {(Role.SYSTEM, "Be brief."), (Role.SYSTEM, "Be long."), (Role.ASSISTANT, "once upon")}


def test_a_prompt_is_put_around_chats_and_not_around_text_and_its_demos_are_not_trained() -> None:
    prompt = PromptProgram("Be brief.", "1. Read.", "Q: {question}", (Demo("one?", "two"),))
    rules = RowRules(prompt=prompt, system_prompt="not used")
    made = train(prepared([row("a", "yes yes"), {"text": "once upon"}], rules, holdout=0))
    chat, text = sorted((one.conversation for one in made), key=lambda one: -len(one.messages))
    assert [(turn.role.value, turn.content) for turn in chat.messages] == [
        ("system", "Be brief.\n\n1. Read."),
        ("user", "Q: one?"),
        ("assistant", "two"),
        ("user", "Q: a"),
        ("assistant", "yes yes"),
    ]
    assert text.is_plain_text
    # The two words of the answer and the end of the turn.
    assert {one.tokens.trained_tokens for one in made if one.conversation == chat} == {3}


def first(conversation: Conversation) -> tuple[Role, str]:
    return conversation.messages[0].role, conversation.messages[0].content


def test_shape_and_columns_of_the_spec_are_used() -> None:
    rows: list[Mapping[str, Any]] = [{"problem": "a", "solution": "b", "text": "c"}]
    columns = {"prompt": "problem", "completion": "solution"}
    made = prepared(rows, shape="prompt_completion", columns=columns, holdout=0)
    assert [turn.content for turn in train(made)[0].conversation.messages] == ["a", "b"]


def test_a_malformed_row_is_named() -> None:
    with pytest.raises(DataError, match=r"D012.*turn 1 is empty at s:2"):
        prepared([row("a"), {"text": ""}])


@pytest.mark.parametrize("at", [1, 5, 6, 7])
def test_a_stop_is_heard_while_rows_are_read_and_while_they_are_encoded(at: int) -> None:
    with pytest.raises(Interrupted):
        prepared(numbered(6), stop=FakeStop(at_check=at))


def test_every_row_is_reported() -> None:
    observer = RecordingObserver()
    prepared(numbered(7), observer=observer)
    assert observer.phases == [("reading s", None), ("tokenising s", 7)]
    assert observer.done == [7, 7]


# Slices and values of columns


def test_a_slice_is_of_the_rows_as_they_are_read() -> None:
    made = prepared(numbered(10), slice=RowSlice.parse("[2:4]"), holdout=0)
    assert made.read == 2
    assert set(questions(train(made))) == {"question 2", "question 3"}
    assert prepared(numbered(10), slice=RowSlice.parse("[-30%:]"), holdout=0).read == 3


def test_a_slice_that_no_row_is_in_is_an_empty_source() -> None:
    with pytest.raises(DataError, match=r"D002.*source \"s\".*slice"):
        prepared(numbered(3), slice=RowSlice.parse("[5:]"))


def test_rows_with_other_values_are_counted_by_reason() -> None:
    rows = [row("a") | {"language": "it"}, row("b") | {"language": "en"}, row("c")]
    made = prepared(rows, where={"language": "it"}, holdout=0)
    assert questions(train(made)) == ["a"]
    assert made.dropped == {"language is not it": 1, "no language": 1}


# Overlong rows in parts


def test_an_overlong_row_is_split_and_keeps_every_token() -> None:
    made = prepared(LONG, RowRules(max_tokens=10, overlong="split"), holdout=0)
    whole = prepared(LONG, holdout=0)
    parts = [token for one in train(made) for token in one.tokens.ids]
    assert sorted(parts) == sorted(token for one in train(whole) for token in one.tokens.ids)
    assert all(len(one.tokens) <= 10 for one in train(made))
    assert made.split == 2
    assert made.read == len(made.train) + len(made.held) + sum(made.dropped.values()) - made.split


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=12),
    st.integers(0, 3),
    st.integers(2, 30),
    st.sampled_from(["truncate", "drop", "split"]),
    st.none() | st.integers(1, 5),
)
def test_every_row_that_was_read_is_accounted_for(
    lengths: list[int], holdout: int, limit: int, overlong: str, most: int | None
) -> None:
    rows = [row("q " * length + "q", "a " * length + "a") if length else {"text": ""} for length in lengths]
    made = prepared(
        rows,
        RowRules(max_tokens=limit, overlong=overlong),
        holdout=holdout,
        max_samples=most,
        on_problem=lambda problem: None,
    )
    assert made.read == len(made.train) + len(made.held) + sum(made.dropped.values()) - made.split


def test_no_part_of_a_held_out_row_is_trained_on() -> None:
    made = prepared(LONG, RowRules(max_tokens=10, overlong="split"), holdout=1)
    assert not set(questions(train(made))) & set(questions(made.held_out()))


# What a reward may know

HUMAN_EVAL = {
    "task_id": "HumanEval/1",
    "prompt": 'def one():\n    """1"""\n',
    "canonical_solution": "    return 1\n",
    "entry_point": "one",
    "test": "def check(candidate):\n    assert candidate() == 1\n",
}


def test_a_row_with_tests_becomes_a_conversation_that_a_program_can_be_tested_by() -> None:
    columns = {"completion": "canonical_solution"}
    reference = {"tests": "test", "entry_point": "entry_point"}
    made = prepared([HUMAN_EVAL], holdout=1, columns=columns, reference=reference, task="coding")
    [example] = made.held_out()
    assert [turn.content for turn in example.conversation.messages] == [
        HUMAN_EVAL["prompt"],
        HUMAN_EVAL["canonical_solution"],
    ]
    tests = code_tests.tests_of(example.conversation.prompt().reference)
    assert tests is not None
    assert (tests.code, tests.entry_point) == (HUMAN_EVAL["test"], "one")
    assert example.conversation.reference["task"] == "coding"


def test_prompts_alone_keep_what_a_reward_may_know() -> None:
    rows = [{"prompt": "tell 4", "test_list": ["assert f() == 4"]}]
    made = prepared(
        rows, holdout=0, shape="prompt", reference={"tests": "test_list"}, replay=Replay(8), ask=answers
    )
    [example] = train(made)
    assert example.conversation.reference == {"tests": ["assert f() == 4"]}


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match=r'D011.*"tset".*at s:1.*canonical_solution.*correct reference.tests'):
        prepared([HUMAN_EVAL], reference={"tests": "tset"})


# What was prepared is found again


def test_the_same_request_is_served_from_the_store() -> None:
    store, observer = FakeExampleStore(), RecordingObserver()
    first = prepared(numbered(9), store=store)
    assert prepared(numbered(9), store=store, observer=observer, weight=3.0).examples is first.examples
    assert observer.phases == []


CHANGES: dict[str, Any] = {
    "shape": "instruction",
    "columns": {"response": "response"},
    "reference": {"answer": "response"},
    "task": "chat",
    "slice": RowSlice.parse("[:8]"),
    "where": {"response": "yes"},
    "max_samples": 4,
    "holdout": 2,
    "min_characters": 1,
    "max_characters": 900,
    "replay": Replay(8),
}
RULES: dict[str, Any] = {
    "seed": 1,
    "system_prompt": "Be brief.",
    "max_tokens": 4,
    "overlong": "drop",
    "keep_copies": True,
    "asks": True,
    "prompt": PromptProgram("Be brief."),
}


def test_all_that_a_request_says_is_tried_below() -> None:
    assert set(CHANGES) == {*SourceSpec.__dataclass_fields__} - {"name", "weight"}
    assert set(RULES) == {*RowRules.__dataclass_fields__}


@pytest.mark.parametrize("name", [*CHANGES, *RULES])
def test_another_request_is_not(name: str) -> None:
    store = FakeExampleStore()
    rows = [row(f"a question {number}") for number in range(9)]
    prepared(rows, store=store)
    rules = RowRules(**{name: RULES[name]}) if name in RULES else None
    ask = answers if name == "replay" else None
    change = {name: CHANGES[name]} if name in CHANGES else {}
    prepared(rows, rules, store=store, ask=ask, **change)
    assert len(store.kept) == 2


def test_a_failure_leaves_nothing_in_the_store() -> None:
    store = FakeExampleStore()
    with pytest.raises(DataError):
        prepared([row("a"), {"text": ""}], store=store)
    assert store.kept == {}


# All problems at once


def test_every_wrong_row_is_told_and_left_out() -> None:
    masked = {"messages": [{"role": "assistant", "content": "b", "trained": False}]}
    problems: list[DataError] = []
    made = prepared([row("a"), {"text": ""}, masked, row("b")], on_problem=problems.append, holdout=0)
    assert [(one.code, one.where) for one in problems] == [("D012", "s:2"), ("D015", "s:3")]
    assert made.dropped == {"malformed": 2}
    assert sorted(questions(train(made))) == ["a", "b"]


# Prompts that the base model answers


ASKED = [{"role": "user", "content": "tell 4"}, {"role": "assistant", "content": "four"}]


def answers(prompts: Sequence[Conversation], sampling: Sampling) -> list[Completion]:
    """An answer with the last word of the question; to 1 it finds no end, to 2 nothing to say."""
    last = [prompt.messages[-1].content.split()[-1] for prompt in prompts]
    return [Completion("" if word == "2" else f"I say {word}", 3, word != "1") for word in last]


def test_a_replayed_source_is_trained_on_the_base_models_answers() -> None:
    made = prepared(numbered(4), replay=Replay(64), ask=answers, holdout=0)
    said = {one.conversation.messages[-1].content for one in train(made)}
    assert said == {"I say 0", "I say 3"}
    assert made.dropped == {"answer not finished": 1, "empty answer": 1}


def test_rows_that_become_alike_are_used_once() -> None:
    rows = [row("tell 0", f"answer {number}") for number in range(5)]
    made = prepared(rows, replay=Replay(64), ask=answers, holdout=0)
    assert len(made.train) == 1
    assert made.dropped == {"exact copy": 4}
    own = {"messages": [{"role": "system", "content": "Be brief."}, *ASKED]}
    made = prepared([own, {"messages": ASKED}], RowRules(system_prompt="Be brief."), holdout=0)
    assert (len(made.train), made.dropped) == (1, {"exact copy": 1})


def test_the_last_question_is_asked_whatever_was_answered_before() -> None:
    asked: list[Conversation] = []

    def hearing(prompts: Sequence[Conversation], sampling: Sampling) -> list[Completion]:
        asked.extend(prompts)
        return [Completion("yes", 1, True)] * len(prompts)

    prepared([{"messages": [*ASKED, {"role": "user", "content": "and 5"}]}], replay=Replay(8), ask=hearing)
    assert [turn.content for turn in asked[0].messages] == ["tell 4", "four", "and 5"]


def test_a_row_that_asks_nothing_is_named() -> None:
    with pytest.raises(DataError, match=r"D018.*at s:1"):
        prepared([{"text": "once upon a time"}], replay=Replay(8), ask=answers)


def test_a_model_that_nobody_can_tell_apart_is_asked_each_time() -> None:
    store = FakeExampleStore()
    prepared(numbered(4), store=store, replay=Replay(8), ask=answers, answered_by=None)
    assert store.kept == {}


def test_only_as_many_prompts_are_answered_as_are_wanted() -> None:
    asked: list[int] = []

    def counting(prompts: Sequence[Conversation], sampling: Sampling) -> list[Completion]:
        asked.append(len(prompts))
        assert sampling.max_new_tokens == 64
        return [Completion("yes", 1, True)] * len(prompts)

    prepared(numbered(40), replay=Replay(64), ask=counting, max_samples=10)
    assert sum(asked) == 10
