"""Rows as the model sees them, in the order in which a training draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from cesello.application.drop_copies import Copies, CopyRules, DropCopies
from cesello.application.prepare_data import DataRequest, PrepareData
from cesello.application.prepare_source import PrepareSource, RowRules
from cesello.application.preview_data import PreviewData, PreviewRequest, PreviewRow, SourcePreview
from cesello.domain.conversation import Conversation
from cesello.domain.errors import DataError
from cesello.domain.mixture import MixtureSpec
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.ports.model import Policy
from cesello.domain.schedule import TrainingPlan
from cesello.domain.source import Replay, SourceSpec
from cesello.domain.tokens import TokenRow, token_row
from tests.fakes.data import FakeDatasetSource
from tests.fakes.examples import FakeExampleStore, FakeNearCopies
from tests.fakes.model import FakeEncoder, FakeModelProvider
from tests.fakes.run import FakeStop, RecordingObserver


def rows(word: str, count: int) -> list[Mapping[str, Any]]:
    return [{"prompt": f"{word} {number}", "completion": "yes"} for number in range(count)]


REQUEST = DataRequest(
    model=ModelSpec("fake"),
    sources=(SourceSpec("a", holdout=2, weight=3), SourceSpec("b", holdout=2)),
    mixture=MixtureSpec(seed=5),
    plan=TrainingPlan(max_steps=4, batch_size=3),
    max_steps=4,
)
REPLAYED = replace(REQUEST, sources=(*REQUEST.sources, SourceSpec("own", holdout=0, replay=Replay(16))))


@dataclass
class Workshop:
    """The use case with a fake behind every port."""

    datasets: dict[str, FakeDatasetSource] = field(
        default_factory=lambda: {
            "a": FakeDatasetSource(rows("a", 9), "a"),
            "b": FakeDatasetSource([*rows("b", 8), *rows("a", 9)], "b"),
            "own": FakeDatasetSource([{"prompt": f"own {number}"} for number in range(4)], "own"),
        }
    )
    provider: FakeModelProvider = field(default_factory=FakeModelProvider)
    store: FakeExampleStore = field(default_factory=FakeExampleStore)
    observer: RecordingObserver = field(default_factory=RecordingObserver)

    def preview(self, data: DataRequest = REQUEST, **changes: Any) -> list[SourcePreview]:
        preview = PreviewData(self.provider, self.datasets, *self.parts(), self.observer)
        return preview(PreviewRequest(data, **changes))

    def prepare(self) -> PrepareData:
        return PrepareData(self.provider, self.datasets, *self.parts(), self.observer)

    def parts(self) -> tuple[PrepareSource, DropCopies]:
        prepare = PrepareSource(self.store, self.observer, FakeStop())
        return prepare, DropCopies(FakeNearCopies(), self.observer, FakeStop())

    def load(self) -> Policy:
        return self.provider.load(ModelSpec("fake"), LoraSpec(), seed=0)


def texts(row: PreviewRow, *, trained: bool) -> list[str]:
    return [piece.text.strip() for piece in row.pieces if piece.trained is trained]


def test_a_row_is_its_tokens_with_those_that_are_trained() -> None:
    row = Workshop().preview()[0].rows[0]
    assert texts(row, trained=False) == ["user", "a", str(int(row.place[2:]) - 1), "<end>", "assistant"]
    assert texts(row, trained=True) == ["yes", "<end>"]
    assert (row.tokens, row.trained_tokens, row.truncated) == (7, 2, False)


def test_the_rows_are_those_that_a_training_draws_first() -> None:
    workshop = Workshop()
    data = workshop.prepare()(REQUEST, workshop.load)
    for index, shown in enumerate(workshop.preview(rows=4)):
        one = data.sources[index]
        steps = data.mixed.batches
        drawn = [row for source, row in zip(steps.sources, steps.rows, strict=True) if source == index]
        places = [one.examples.example(one.train[row]).place for row in drawn[:4]]
        assert [row.place for row in shown.rows][: len(places)] == places
        assert len(shown.rows) == 4


def test_counts_and_shares_are_those_of_the_training() -> None:
    a, b = Workshop().preview()
    assert (a.read, a.kept, a.held_out, a.share) == (9, 7, 2, 0.75)
    assert (b.read, b.share) == (17, 0.25)
    assert b.kept + b.held_out + sum(b.dropped.values()) == 17
    assert a.tokens == 7 * 7


def test_one_source_is_read_alone() -> None:
    workshop = Workshop()
    [b] = workshop.preview(only=["b"])
    assert (b.name, b.kept, b.dropped, b.share) == ("b", 15, {}, None)
    assert workshop.datasets["a"].readings == 0


def test_held_out_rows_are_shown_where_they_are_asked_for() -> None:
    shown = {row.place for row in Workshop().preview(rows=99, only=["a"])[0].rows}
    held = {row.place for row in Workshop().preview(rows=99, only=["a"], held_out=True)[0].rows}
    assert (len(shown), len(held)) == (7, 2)
    assert not shown & held


def test_a_source_without_a_weight_shows_no_row_that_is_trained_on() -> None:
    data = replace(REQUEST, sources=(SourceSpec("a", holdout=2, weight=0), SourceSpec("b", holdout=2)))
    assert Workshop().preview(data)[0].rows == ()
    by_rows = replace(data, mixture=MixtureSpec(temperature=1.0))
    shown = Workshop().preview(by_rows)[0]
    assert (shown.rows, shown.share) == ((), 0.0)  # a temperature draws nothing from it either


def test_a_row_that_was_cut_off_says_so() -> None:
    data = replace(REQUEST, rules=RowRules(max_tokens=6))
    row = Workshop().preview(data)[0].rows[0]
    assert (row.tokens, row.truncated) == (6, True)


def test_near_copies_are_not_shown_where_they_are_left_out() -> None:
    near = replace(REQUEST, copies=CopyRules(Copies.NEAR, 0.3))
    assert Workshop().preview(near, only=["a"])[0].rows == ()


# The model's own answers


def test_a_source_that_waits_for_the_model_is_left_out_and_named() -> None:
    workshop = Workshop()
    shown = workshop.preview(REPLAYED)
    assert [source.name for source in shown] == ["a", "b"]
    assert [source.share for source in shown] == [None, None]
    [note] = workshop.observer.notes
    assert note.startswith('source "own" is left out: its rows are answers of the model')
    assert workshop.provider.loaded == []


def test_that_source_alone_is_refused() -> None:
    with pytest.raises(DataError, match=r"D023.*source \"own\".*cesello data manifest"):
        Workshop().preview(REPLAYED, only=["own"])


def test_answers_that_are_kept_are_shown_without_the_model() -> None:
    workshop = Workshop()
    workshop.prepare()(REPLAYED, workshop.load)
    again = Workshop(store=workshop.store)
    own = again.preview(REPLAYED)[2]
    assert own.rows[0].trained_tokens == len(["base", "heard", "own", "0", "<end>"])
    assert own.share == 0.2
    assert again.provider.loaded == []


def test_another_problem_is_not_passed_over() -> None:
    workshop = Workshop()
    workshop.datasets["own"].values = []
    with pytest.raises(DataError, match="D002"):
        workshop.preview(REPLAYED)


# Tokens that are no words


class SpellingEncoder(FakeEncoder):
    """``<end>`` in a text is three tokens; and one character of every answer is made by two."""

    def encode(self, conversations: Sequence[Conversation]) -> list[TokenRow]:
        return [self._row(one) for one in conversations]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        return [{1: "<end>", 2: "<", 3: "end", 4: ">", 5: "", 6: "日", 7: "<b>"}[one] for one in ids]

    def _row(self, conversation: Conversation) -> TokenRow:
        if conversation.is_plain_text:
            words = {"<end>": [2, 3, 4], "<b>": [7]}
            ids = [*words[conversation.messages[0].content], 1]
            return token_row(ids, [True] * len(ids))
        return token_row([1, 2, 3, 4, 7, 5, 6, 1], [False] * 4 + [True] * 4)


class SpellingProvider(FakeModelProvider):
    def encoder(self, model: ModelSpec) -> FakeEncoder:
        return SpellingEncoder()


def test_a_special_token_is_told_from_its_name_and_from_a_word_that_looks_like_one() -> None:
    [source] = Workshop(provider=SpellingProvider()).preview(only=["a"], rows=1)
    assert [piece.text for piece in source.rows[0].pieces] == ["<end>", "<", "end", ">", "<b>", "日", "<end>"]
    assert [piece.special for piece in source.rows[0].pieces] == [True, *[False] * 5, True]


def test_tokens_of_one_character_are_one_piece() -> None:
    [source] = Workshop(provider=SpellingProvider()).preview(only=["a"], rows=1)
    assert [piece.ids for piece in source.rows[0].pieces if len(piece.ids) > 1] == [(5, 6)]
    assert [id_ for piece in source.rows[0].pieces for id_ in piece.ids] == [1, 2, 3, 4, 7, 5, 6, 1]
