"""Every problem of a recipe's data at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from cesello.application.check_data import SHOWN, CheckData, DataCheck
from cesello.application.drop_copies import Copies, CopyRules, DropCopies
from cesello.application.prepare_data import DataRequest
from cesello.application.prepare_source import PrepareSource, RowRules
from cesello.domain.batching import Batching, BatchSpec
from cesello.domain.errors import DataError, Interrupted, ModelError
from cesello.domain.mixture import MixtureSpec, StopRule
from cesello.domain.model_spec import ModelSpec
from cesello.domain.row_slice import RowSlice
from cesello.domain.schedule import TrainingPlan
from cesello.domain.source import Replay, SourceRow, SourceSpec
from tests.fakes.data import FakeDatasetSource
from tests.fakes.examples import FakeExampleStore, FakeNearCopies
from tests.fakes.model import FakeModelProvider
from tests.fakes.run import FakeStop, RecordingObserver

Rows = list[Mapping[str, Any]]


def row(question: str, answer: str = "yes") -> Mapping[str, Any]:
    return {"prompt": question, "completion": answer}


def rows(word: str, count: int) -> Rows:
    """Rows that have few words in common."""
    return [
        row(f"{word}{number} {word}x{number} {word}y{number}", f"{word}z{number}") for number in range(count)
    ]


EMPTY: Mapping[str, Any] = {"text": ""}
MASKED: Mapping[str, Any] = {"messages": [{"role": "assistant", "content": "b", "trained": False}]}

REQUEST = DataRequest(
    model=ModelSpec("fake"),
    sources=(SourceSpec("a", holdout=2), SourceSpec("b", holdout=2)),
    mixture=MixtureSpec(),
    plan=TrainingPlan(max_steps=2, batch_size=2),
    max_steps=2,
)


class BrokenSource(FakeDatasetSource):
    """Cannot be read any further after its rows."""

    def rows(self) -> Iterator[SourceRow]:
        yield from super().rows()
        raise DataError(
            "D003", "broken JSON", where=f"{self.name}:{len(self.values or ()) + 1}", fix="mend it"
        )


@dataclass
class Workshop:
    """The use case with a fake behind every port."""

    a: FakeDatasetSource = field(default_factory=lambda: FakeDatasetSource(rows("a", 9), "a"))
    b: FakeDatasetSource = field(default_factory=lambda: FakeDatasetSource(rows("b", 9), "b"))
    provider: FakeModelProvider = field(default_factory=FakeModelProvider)
    store: FakeExampleStore = field(default_factory=FakeExampleStore)
    stop: FakeStop = field(default_factory=FakeStop)

    def check(self, request: DataRequest = REQUEST, **changes: Any) -> DataCheck:
        observer = RecordingObserver()
        check = CheckData(
            self.provider,
            {"a": self.a, "b": self.b},
            PrepareSource(self.store, observer, self.stop),
            DropCopies(FakeNearCopies(), observer, self.stop),
            observer,
        )
        return check(replace(request, **changes))


def with_rows(a: Rows | None = None, b: Rows | None = None) -> Workshop:
    return Workshop(
        FakeDatasetSource(rows("a", 9) if a is None else a, "a"),
        FakeDatasetSource(rows("b", 9) if b is None else b, "b"),
    )


def found(check: DataCheck) -> list[tuple[str, object, int]]:
    return [(problem.error.code, problem.error.where, problem.count) for problem in check.problems]


def test_good_data_has_no_problem_and_leaves_nothing_behind() -> None:
    workshop = Workshop()
    check = workshop.check()
    assert (check.problems, check.notes) == ([], [])
    assert [(one.name, one.problems) for one in check.sources] == [("a", 0), ("b", 0)]
    assert workshop.store.kept == {}
    assert workshop.provider.loaded == []


def test_every_wrong_row_of_every_source_is_told() -> None:
    check = with_rows([*rows("a", 6), EMPTY, MASKED], [{"nothing": 1}, EMPTY, *rows("b", 6)]).check()
    assert found(check) == [("D012", "a:7", 1), ("D015", "a:8", 1), ("D010", "b:1", 1), ("D012", "b:2", 1)]
    assert [one.problems for one in check.sources] == [2, 2]


def test_many_wrong_rows_of_one_kind_are_counted() -> None:
    check = with_rows([*rows("a", 6), *[EMPTY] * (SHOWN + 30), MASKED]).check()
    assert [code for code, _, _ in found(check)] == ["D012"] * SHOWN + ["D015", "D012"]
    assert found(check)[-1] == ("D012", 'source "a"', 30)
    assert check.problems[-1].error.what == "more rows of this kind: 30"
    assert check.sources[0].problems == SHOWN + 31


def test_a_place_that_cannot_be_read_ends_that_source_alone() -> None:
    workshop = Workshop(
        BrokenSource([*rows("a", 4), EMPTY], "a"), FakeDatasetSource([EMPTY, *rows("b", 5)], "b")
    )
    check = workshop.check()
    assert found(check) == [("D012", "a:5", 1), ("D003", "a:6", 1), ("D012", "b:1", 1)]
    assert check.notes == [
        "a: the rows after the place that cannot be read were not checked",
        "the mixture was not checked, as not all sources could be read",
    ]
    prepared = check.sources[0].prepared
    assert prepared is not None
    assert prepared.read == 5


def test_a_slice_that_has_to_count_first_tells_the_broken_place_once() -> None:
    sources = (SourceSpec("a", slice=RowSlice.parse("[-2:]"), holdout=0), REQUEST.sources[1])
    check = Workshop(BrokenSource(rows("a", 4), "a")).check(sources=sources)
    assert found(check) == [("D003", "a:5", 1)]


@pytest.mark.parametrize(("values", "code"), [(None, "D001"), ([], "D002")])
def test_sources_without_rows_are_told_together_with_the_others(values: Rows | None, code: str) -> None:
    check = Workshop(FakeDatasetSource(values, "a"), FakeDatasetSource(values, "b")).check()
    assert [problem.error.code for problem in check.problems] == [code, code]
    assert [one.prepared for one in check.sources] == [None, None]


def test_a_source_of_which_nothing_is_left_is_told_once() -> None:
    sources = (SourceSpec("a", min_characters=10_000), REQUEST.sources[1])
    check = Workshop().check(sources=sources)
    assert found(check) == [("D014", 'source "a"', 1)]
    assert check.notes == ["a: left out: under 10000 characters (9)"]


def test_without_a_tokenizer_nothing_can_be_checked() -> None:
    with pytest.raises(ModelError, match="M001"):
        Workshop().check(model=ModelSpec("missing"))


def test_a_stop_is_heard() -> None:
    with pytest.raises(Interrupted):
        Workshop(stop=FakeStop(at_check=5)).check()


# Lengths


@pytest.mark.parametrize(
    ("overlong", "done"),
    [("truncate", "1 cut off"), ("split", "2 added by splitting"), ("drop", "1 left out")],
)
def test_overlong_rows_are_noted_with_the_longest(overlong: str, done: str) -> None:
    workshop = with_rows([*rows("a", 6), row("long", "word " * 20)])
    sources = tuple(replace(spec, holdout=0) for spec in REQUEST.sources)
    check = workshop.check(sources=sources, rules=RowRules(max_tokens=10, overlong=overlong))
    assert check.problems == []
    assert check.notes == [f"a: the longest row has 25 tokens; over 10: {done}"]


# Copies


LIKE_A = row("a0 ax0 ay0", "az0 really")
"""Shares most of its words with the first row of a."""
NO_HOLDOUT = tuple(replace(spec, holdout=0) for spec in REQUEST.sources)


def test_exact_copies_are_noted_as_they_are_left_out() -> None:
    workshop = with_rows([*rows("a", 9), rows("a", 1)[0]], [*rows("b", 9), *rows("a", 2)])
    check = workshop.check(sources=NO_HOLDOUT)
    assert check.problems == []
    assert check.notes == ["a: left out: exact copy (1)", "b: left out: copy of a row of a (2)"]


def test_near_copies_of_other_rows_are_a_problem_with_places() -> None:
    check = with_rows(b=[*rows("b", 9), LIKE_A]).check(sources=NO_HOLDOUT)
    [problem] = check.problems
    assert (problem.error.code, problem.error.where, problem.count) == ("D025", 'source "b"', 1)
    assert problem.error.what == "1 row trained on is nearly the same as others that are trained on"
    assert problem.error.got == "b:10 like a:1 (0.80)"
    assert "data.copies.drop" in str(problem.error.fix)


def test_near_copies_of_held_out_rows_are_another_one() -> None:
    sources = (SourceSpec("a", holdout=99, weight=0), SourceSpec("b", holdout=0))
    check = with_rows(b=[*rows("b", 9), *([LIKE_A, row("a1 ax1 ay1", "az1 so")])]).check(sources=sources)
    [problem] = check.problems
    assert (problem.error.code, problem.count) == ("D024", 2)
    assert sorted(str(problem.error.got).split(", ")) == ["b:10 like a:1 (0.80)", "b:11 like a:2 (0.80)"]
    assert problem.error.what == "2 rows trained on are nearly the same as held-out rows"


def test_rows_that_are_never_drawn_are_no_copies() -> None:
    sources = (SourceSpec("a", holdout=0, weight=0), SourceSpec("b", holdout=0))
    assert with_rows(b=[*rows("b", 9), LIKE_A]).check(sources=sources).problems == []


def test_only_a_few_pairs_are_shown() -> None:
    copies = [row(f"a0 ax0 ay0 az0 yes <{number}>", "yes") for number in range(9)]
    check = with_rows(b=[*rows("b", 9), *copies]).check(sources=NO_HOLDOUT, copies=CopyRules(similarity=0.5))
    [problem] = check.problems
    assert str(problem.error.got).count(" like ") == 3
    assert str(problem.error.got).endswith(", ...")
    assert problem.count == 9


def test_near_copies_that_are_left_out_are_a_note() -> None:
    check = with_rows(b=[*rows("b", 9), LIKE_A]).check(sources=NO_HOLDOUT, copies=CopyRules(Copies.NEAR))
    assert check.problems == []
    assert check.notes == ["b: left out: near copy of a row of a (1)"]


def test_near_copies_that_are_wanted_are_a_note() -> None:
    check = with_rows(b=[*rows("b", 9), LIKE_A]).check(sources=NO_HOLDOUT, copies=CopyRules(Copies.NONE))
    assert check.problems == []
    assert check.notes == ["b: near copies of other rows are trained on too (1)"]


# The mixture


def test_rows_that_end_before_the_steps_do() -> None:
    check = with_rows([*rows("a", 4)]).check(max_steps=100)
    [problem] = check.problems
    assert (problem.error.code, problem.error.where) == ("D026", 'source "a"')
    assert problem.error.what == "the rows end after 8 of 100 steps"


def test_an_end_that_was_asked_for_is_no_problem() -> None:
    mixture = MixtureSpec(stop=StopRule.FIRST_EXHAUSTED)
    assert Workshop().check(mixture=mixture, max_steps=100).problems == []


def test_a_source_that_is_never_drawn() -> None:
    sources = (replace(REQUEST.sources[0], weight=100), REQUEST.sources[1])
    [problem] = Workshop().check(sources=sources).problems
    assert (problem.error.code, problem.error.where) == ("D027", 'source "b"')
    assert (problem.error.got, problem.error.expected) == ("0 of 4 rows, 0.0%", "1.0%")


def test_every_source_without_rows_to_train_on() -> None:
    sources = (SourceSpec("a"), SourceSpec("b"))
    check = Workshop().check(sources=sources)
    assert found(check) == [("D021", 'source "a"', 1), ("D021", 'source "b"', 1)]
    evaluated = tuple(replace(spec, weight=0) for spec in sources)
    assert [code for code, _, _ in found(Workshop().check(sources=evaluated))] == ["D020"]


@pytest.mark.parametrize("method", list(Batching))
def test_a_source_that_is_smaller_than_a_batch(method: Batching) -> None:
    plan = TrainingPlan(max_steps=1, batch_size=4)
    workshop = with_rows(rows("a", 5))
    check = workshop.check(plan=plan, max_steps=1, batching=BatchSpec(method, batch_size=4))
    small = [problem.error for problem in check.problems if problem.error.code == "D028"]
    assert [(error.where, error.got, error.expected) for error in small] == [('source "a"', 3, "at least 4")]


# The model's own answers


def test_prompts_are_checked_without_the_model() -> None:
    workshop = Workshop(
        FakeDatasetSource([EMPTY, *({"prompt": f"say {number}"} for number in range(8))], "a")
    )
    sources = (replace(REQUEST.sources[0], replay=Replay(16)), REQUEST.sources[1])
    check = workshop.check(sources=sources)
    assert found(check) == [("D012", "a:1", 1)]
    assert check.notes == ["a: its prompts were checked, without the model's answers"]
    assert workshop.provider.loaded == []
