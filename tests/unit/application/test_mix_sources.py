"""Prepared sources become steps, with a manifest that proves it."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.application.mix_sources import MixedData, mix, realised
from cesello.application.prepare_source import PreparedSource
from cesello.domain.batching import Batching, BatchSpec
from cesello.domain.conversation import user
from cesello.domain.errors import DataError
from cesello.domain.example import Example
from cesello.domain.mixture import Mixture, MixtureSource, MixtureSpec, StopRule
from cesello.domain.schedule import TrainingPlan
from cesello.domain.source import SourceSpec
from cesello.domain.tokens import TokenRow, token_row
from tests.fakes.examples import FakeExamples


def example(token: int, *, truncated: bool = False, length: int = 3) -> Example:
    trained = [False] + [True] * (length - 1)
    return Example("x:1", user("x"), token_row([token] * length, trained, truncated=truncated))


def source(
    name: str, rows: int, weight: float = 1.0, first: int = 0, lengths: Sequence[int] = (3,)
) -> PreparedSource:
    """One row held out, then ``rows`` to train on, of the given lengths in turn."""
    train = [
        example(first + index, truncated=index == 0, length=lengths[index % len(lengths)])
        for index in range(rows)
    ]
    examples = FakeExamples([example(first + 99), *train])
    spec = SourceSpec(name, weight)
    return PreparedSource(
        spec, f"file {name}", examples, rows + 3, range(1, rows + 1), range(1), {"exact copy": 2}
    )


def mixed(
    sources: list[PreparedSource],
    max_steps: int | None,
    *,
    batch_size: int = 2,
    accumulate: int = 3,
    warmup: int = 0,
    spec: MixtureSpec | None = None,
    batching: BatchSpec | None = None,
) -> MixedData:
    plan = TrainingPlan(max_steps or 0, batch_size, accumulate, warmup_steps=warmup)
    return mix(sources, spec or MixtureSpec(), plan, max_steps, batching)


def rows_of(data: MixedData) -> list[TokenRow]:
    return [row for step in data.batches for micro_batch in step for row in micro_batch]


@given(st.integers(1, 6), st.integers(1, 3), st.integers(1, 3))
def test_steps_have_micro_batches_of_the_planned_size(steps: int, batch_size: int, accumulate: int) -> None:
    data = mixed([source("a", 20)], steps, batch_size=batch_size, accumulate=accumulate)
    assert len(data.batches) == data.plan.max_steps == steps
    assert all(len(step) == accumulate for step in data.batches)
    assert all(len(micro_batch) == batch_size for micro_batch in chain(*data.batches))
    assert data.manifest.rows_planned == len(data.batches.rows) == steps * batch_size * accumulate
    assert data.manifest.ended_by == "max_steps"


def test_cutting_a_step_differently_leaves_its_rows_as_they_are() -> None:
    sources = [source("a", 9), source("b", 5, first=100)]
    whole = mixed(sources, 4, batch_size=6, accumulate=1)
    assert rows_of(whole) == rows_of(mixed(sources, 4, batch_size=1, accumulate=6))
    assert whole.manifest == mixed(sources, 4, batch_size=2, accumulate=3).manifest


def test_the_rows_are_those_of_the_draws() -> None:
    sources = [source("a", 4), source("b", 4, first=100)]
    data = mixed(sources, 2)
    order = Mixture(MixtureSpec(), tuple(MixtureSource(one.spec.name, 1.0, 4) for one in sources)).order()
    drawn = [sources[source].examples.tokens(1 + row) for source, row, _ in islice(order, 12)]
    assert rows_of(data) == drawn
    held = {one.held_out()[0].tokens.ids[0] for one in sources}
    assert not held & {row.ids[0] for row in rows_of(data)}


def test_an_order_that_ends_early_shortens_the_plan() -> None:
    data = mixed([source("a", 5)], 100, warmup=50, spec=MixtureSpec(max_passes=2))
    assert [len(list(chain(*step))) for step in data.batches] == [6, 4]
    assert (data.plan.max_steps, data.plan.warmup_steps) == (2, 2)
    assert data.manifest.ended_by == "max_passes of a"


@pytest.mark.parametrize("stop", [StopRule.FIRST_EXHAUSTED, StopRule.ALL_SEEN])
def test_without_a_number_of_steps_the_rule_ends_the_order(stop: StopRule) -> None:
    data = mixed([source("a", 3), source("b", 8)], None, spec=MixtureSpec(stop=stop))
    assert data.manifest.ended_by == stop.value


def test_the_manifest_counts_what_every_source_brings() -> None:
    data = mixed([source("a", 6, 3.0), source("b", 4, 1.0)], 2)
    a, b = data.manifest.sources
    assert (a.name, a.origin, a.read, a.kept, a.held_out) == ("a", "file a", 9, 6, 1)
    assert (a.dropped, a.truncated, a.tokens, a.trained_tokens) == ({"exact copy": 2}, 1, 18, 12)
    assert (a.planned, b.planned) == (0.75, 0.25)
    assert (a.realised, a.drawn, a.passes) == (None, None, None)


def test_what_was_drawn_is_counted_after_the_training() -> None:
    data = mixed([source("a", 6, 3.0), source("b", 4, 1.0)], 4)
    a, b = realised(data, 4).sources
    assert (a.drawn, b.drawn) == (18, 6)
    assert (a.realised, a.passes, b.passes) == (0.75, 3.0, 1.5)
    half = realised(data, 2, signal.SIGINT)
    assert sum(one.drawn or 0 for one in half.sources) == 12
    assert half.ended_by == "SIGINT"
    none = realised(data, 0)
    assert [(one.drawn, one.realised) for one in none.sources] == [(0, 0.0), (0, 0.0)]
    assert none.ended_by == "max_steps"


def test_the_digest_sees_held_out_rows_too() -> None:
    one, other = source("a", 3), source("a", 3)
    moved = replace(one, examples=FakeExamples([example(5), *(one.examples.example(i) for i in one.train)]))
    assert mixed([one], 1).manifest.digest == mixed([other], 1).manifest.digest
    assert mixed([one], 1).manifest.digest != mixed([moved], 1).manifest.digest


def test_a_source_with_a_weight_and_no_rows_left_is_refused() -> None:
    with pytest.raises(DataError, match=r'D021.*source "b".*holdout'):
        mixed([source("a", 3), source("b", 0)], 1)


def test_a_source_that_is_only_evaluated_needs_no_rows() -> None:
    data = mixed([source("a", 3), source("b", 0, 0.0)], 1)
    assert realised(data, 1).sources[1].passes == 0.0
    assert data.manifest.sources[1].held_out == 1


# Grouped and packed


LENGTHS = (3, 9, 4, 7, 2, 10)


@given(
    st.integers(1, 12),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([Batching.GROUPED, Batching.PACKED]),
)
def test_moved_rows_keep_their_shares_and_fill_every_step(
    steps: int, batch_size: int, accumulate: int, method: Batching
) -> None:
    sources = [source("a", 50, 3.0, lengths=LENGTHS), source("b", 40, 1.0, first=200, lengths=(5, 6))]
    data = mixed(
        sources, steps, batch_size=batch_size, accumulate=accumulate,
        batching=BatchSpec(method, max_tokens=12, window=32),
    )  # fmt: skip
    assert len(data.batches) == steps
    assert all(len(step) == accumulate for step in data.batches)
    a, b = realised(data, steps).sources
    drawn = (a.drawn or 0) + (b.drawn or 0)
    # Grouping takes all rows of every window; packing may leave out those of the last one's fullest packs.
    slack = 1 if method is Batching.GROUPED else 2 + 4 * batch_size
    assert abs((a.drawn or 0) - 0.75 * drawn) <= slack


@given(st.integers(1, 6))
def test_packed_passes_hold_no_more_than_they_may_and_every_row_once(window: int) -> None:
    data = mixed(
        [source("a", 30, lengths=LENGTHS)], None, batch_size=1, accumulate=1,
        spec=MixtureSpec(stop=StopRule.ALL_SEEN),
        batching=BatchSpec(Batching.PACKED, max_tokens=12, window=window),
    )  # fmt: skip
    assert all(sum(map(len, rows)) <= 12 for step in data.batches for rows in step)
    assert sorted(row.ids[0] for row in rows_of(data)) == list(range(30))


def test_the_digest_knows_how_rows_are_moved() -> None:
    digests = {
        mixed([source("a", 30, lengths=LENGTHS)], 3, batching=batching).manifest.digest
        for batching in (
            BatchSpec(),
            BatchSpec(Batching.GROUPED),
            BatchSpec(Batching.PACKED, max_tokens=12),
            BatchSpec(Batching.PACKED, max_tokens=24),
            BatchSpec(Batching.PACKED, max_tokens=12, window=7),
        )
    }
    assert len(digests) == 5


def test_a_step_can_be_read_by_itself() -> None:
    data = mixed([source("a", 20)], 4)
    steps = list(data.batches)
    assert data.batches[2] == steps[2]
    assert data.batches[-1] == steps[-1]
    assert data.batches[1:3] == steps[1:3]
    with pytest.raises(IndexError):
        data.batches[4]


@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 40), st.sampled_from(Batching))
def test_an_order_that_ends_gives_every_row_once_and_full_passes(
    window: int, batch_size: int, rows: int, method: Batching
) -> None:
    """No row is lost between windows, and none of them ends within a pass."""
    batching = BatchSpec(method, max_tokens=24, window=window)
    once = MixtureSpec(max_passes=1)
    data = mixed(
        [source("a", rows, lengths=LENGTHS)], 99, batch_size=batch_size, spec=once, batching=batching
    )
    assert sorted(row.ids[0] for row in rows_of(data)) == list(range(rows))
    assert data.manifest.ended_by == "max_passes of a"
    if method is not Batching.PACKED:
        passes = list(chain(*data.batches))
        assert (
            sorted(map(len, passes))
            == sorted([batch_size] * (rows // batch_size) + [rows % batch_size])[not rows % batch_size :]
        )


def test_the_window_is_nothing_to_rows_as_they_are_drawn() -> None:
    digests, orders = set(), []
    for window in (2, 3, 1024):
        data = mixed([source("a", 30)], 5, batch_size=4, batching=BatchSpec(window=window))
        digests.add(data.manifest.digest)
        orders.append(rows_of(data))
    assert len(digests) == 1
    assert orders[0] == orders[1] == orders[2]


@pytest.mark.parametrize("stop", [StopRule.FIRST_EXHAUSTED, StopRule.ALL_SEEN])
def test_an_end_by_the_rule_is_called_so_though_the_passes_end_too(stop: StopRule) -> None:
    data = mixed([source("a", 6)], None, spec=MixtureSpec(stop=stop, max_passes=1))
    assert data.manifest.ended_by == stop.value
