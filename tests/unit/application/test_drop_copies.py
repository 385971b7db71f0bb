"""No copy of a held-out row is trained on, and no row twice because two sources have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.application.drop_copies import Copies, CopyRules, DropCopies
from cesello.application.prepare_source import PreparedSource
from cesello.domain.conversation import Conversation, Message, Role, user
from cesello.domain.example import Example
from cesello.domain.source import SourceSpec
from tests.fakes.examples import FakeExamples, FakeNearCopies
from tests.fakes.model import FakeEncoder
from tests.fakes.run import FakeStop, RecordingObserver


def source(name: str, held: Sequence[str], train: Sequence[str]) -> PreparedSource:
    conversations = [user(text) for text in (*held, *train)]
    tokens = FakeEncoder().encode(conversations)
    rows = [
        Example(f"{name}:{number}", *row)
        for number, row in enumerate(zip(conversations, tokens, strict=True), start=1)
    ]
    examples = FakeExamples(rows)
    return PreparedSource(
        SourceSpec(name),
        "memory",
        examples,
        len(rows),
        range(len(held), len(rows)),
        range(len(held)),
        {"x": 1},
    )


def left(sources: Sequence[PreparedSource], drop: Copies, similarity: float = 0.6) -> list[list[str]]:
    return [texts(one) for one in dropped(sources, drop, similarity)]


def dropped(sources: Sequence[PreparedSource], drop: Copies, similarity: float = 0.6) -> list[PreparedSource]:
    made = DropCopies(FakeNearCopies(), RecordingObserver(), FakeStop())
    return made(sources, CopyRules(drop, similarity))


def texts(one: PreparedSource) -> list[str]:
    return [one.examples.example(index).conversation.messages[0].content for index in one.train]


@pytest.mark.parametrize("drop", Copies)
def test_a_held_out_row_is_never_trained_on(drop: Copies) -> None:
    sources = [source("a", ["one"], ["two", "three"]), source("b", ["three"], ["one", "four"])]
    assert left(sources, drop) == [["two"], ["four"]]
    a, b = dropped(sources, drop)
    assert a.dropped == {"x": 1, "copy of a held-out row of b": 1}
    assert b.dropped == {"x": 1, "copy of a held-out row of a": 1}


def test_the_first_source_of_the_recipe_keeps_what_two_have() -> None:
    sources = [source("a", [], ["one", "two"]), source("b", [], ["two", "three"])]
    assert left(sources, Copies.EXACT) == [["one", "two"], ["three"]]
    assert dropped(sources, Copies.EXACT)[1].dropped["copy of a row of a"] == 1
    assert left(sources, Copies.NONE) == [["one", "two"], ["two", "three"]]


def test_a_source_that_is_only_evaluated_takes_no_row_from_the_others() -> None:
    only_evaluated = replace(source("a", [], ["one"]), spec=SourceSpec("a", 0.0))
    assert left([only_evaluated, source("b", [], ["one", "two"])], Copies.EXACT)[1] == ["one", "two"]


def test_near_copies_are_left_out_on_request() -> None:
    sources = [
        source("a", ["the red fox runs"], ["a cat sits here", "the red fox walks"]),
        source("b", [], ["a cat sits there", "something else entirely"]),
    ]
    assert left(sources, Copies.EXACT) == [texts(one) for one in sources]
    assert left(sources, Copies.NEAR) == [["a cat sits here"], ["something else entirely"]]
    a, b = dropped(sources, Copies.NEAR)
    assert a.dropped["near copy of a held-out row of a"] == 1
    assert b.dropped["near copy of a row of a"] == 1
    assert left(sources, Copies.NEAR, similarity=1.0) == [texts(one) for one in sources]


def test_near_copies_are_told_with_their_places() -> None:
    sources = [source("a", ["the red fox runs"], ["x"]), source("b", [], ["the red fox walks"])]
    [copy] = DropCopies(FakeNearCopies(), RecordingObserver(), FakeStop()).near(
        sources, CopyRules(similarity=0.6)
    )
    assert (copy.source, copy.row, copy.place) == (1, 0, "b:1")
    assert (copy.earlier_source, copy.earlier_place, copy.earlier_is_held_out) == (0, "a:1", True)
    assert copy.similarity == pytest.approx(3 / 5)


def test_what_a_prompt_shows_before_every_row_makes_no_two_alike() -> None:
    shown = [Message(Role.USER, "a long demo of many words"), Message(Role.ASSISTANT, "its answer")]
    made = [Conversation((*shown, Message(Role.USER, text))) for text in ("one", "two", "three")]
    rows = [
        Example(str(at), *row) for at, row in enumerate(zip(made, FakeEncoder().encode(made), strict=True))
    ]
    one = PreparedSource(SourceSpec("a"), "memory", FakeExamples(rows), 3, range(3), range(0))
    drop = DropCopies(FakeNearCopies(), RecordingObserver(), FakeStop())
    kept = {n: len(drop([one], CopyRules(Copies.NEAR, 0.6, shown=n))[0].train) for n in (0, 2)}
    assert kept == {0: 1, 2: 3}


def test_parts_of_one_row_are_no_copies_of_each_other() -> None:
    one = source("a", [], ["same words", "same words", "same words"])
    assert len(left([one], Copies.NEAR)[0]) == 3
    both = [source("b", ["same words"], ["other"]), one]
    assert left(both, Copies.NEAR) == [["other"], []]


words = st.lists(st.sampled_from("abcdef"), max_size=8)


@given(words, words, words, words)
def test_what_is_left_out_is_counted(
    held: list[str], first: list[str], second: list[str], third: list[str]
) -> None:
    sources = [source("a", held, first), source("b", [], second), source("c", [], third)]
    made = dropped(sources, Copies.EXACT)
    for before, after in zip(sources, made, strict=True):
        assert len(before.train) - len(after.train) == sum(after.dropped.values()) - 1
    kept = [set(texts(one)) for one in made]
    assert not any(set(held) & one for one in kept)
    assert not kept[0] & kept[1]
    assert not (kept[0] | kept[1]) & kept[2]
    assert set().union(*kept) == {*first, *second, *third} - set(held)
