"""How rows become forward passes: nothing lost, nothing too long, little wasted, always the same."""

from __future__ import annotations

from itertools import chain, pairwise
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.batching import Batching, BatchSpec, best_fit_decreasing, micro_batches

CAPACITY = 100
lengths_lists = st.lists(st.integers(1, CAPACITY), max_size=60)


def passes(lengths: list[int], method: Batching, batch_size: int = 4, *, seed: int = 0) -> list[list[int]]:
    spec = BatchSpec(method, batch_size, max_tokens=CAPACITY, seed=seed)
    return list(micro_batches(lengths, spec, 3))


@given(lengths_lists, st.sampled_from(Batching), st.integers(1, 5))
def test_every_row_is_in_one_pass(lengths: list[int], method: Batching, batch_size: int) -> None:
    made = passes(lengths, method, batch_size)
    assert sorted(chain(*made)) == list(range(len(lengths)))
    assert all(made)


@given(lengths_lists, st.integers(1, 5))
def test_rows_stay_in_the_order_drawn(lengths: list[int], batch_size: int) -> None:
    made = passes(lengths, Batching.ROWS, batch_size)
    assert list(chain(*made)) == list(range(len(lengths)))
    assert all(len(one) == batch_size for one in made[:-1])


@given(lengths_lists, st.integers(1, 5))
def test_grouped_passes_do_not_overlap_in_length(lengths: list[int], batch_size: int) -> None:
    made = passes(lengths, Batching.GROUPED, batch_size)
    spans = sorted((min(lengths[at] for at in one), max(lengths[at] for at in one)) for one in made)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


@given(lengths_lists)
def test_no_pack_is_too_long_and_not_many_are_needed(lengths: list[int]) -> None:
    packs = best_fit_decreasing(lengths, CAPACITY)
    assert sorted(chain(*packs)) == list(range(len(lengths)))
    assert all(sum(lengths[at] for at in pack) <= CAPACITY for pack in packs)
    # Two packs that would fit into one are never left.
    filled = sorted(sum(lengths[at] for at in pack) for pack in packs)
    assert len(filled) < 2 or filled[0] + filled[1] > CAPACITY
    assert len(packs) >= ceil(sum(lengths) / CAPACITY)


def test_the_best_fit_is_taken() -> None:
    assert best_fit_decreasing([5, 7, 3, 2, 3], 10) == [[1, 2], [0, 3, 4]]
    assert best_fit_decreasing([], 10) == []


@given(lengths_lists, st.integers(1, 3))
def test_a_packed_pass_holds_batch_size_sequences(lengths: list[int], batch_size: int) -> None:
    made = passes(lengths, Batching.PACKED, batch_size)
    assert len(made) == ceil(len(best_fit_decreasing(lengths, CAPACITY)) / batch_size)


@pytest.mark.parametrize("method", [Batching.GROUPED, Batching.PACKED])
def test_passes_are_shuffled_by_the_seed(method: Batching) -> None:
    lengths = list(range(1, 60))
    assert passes(lengths, method) == passes(lengths, method)
    assert passes(lengths, method) != passes(lengths, method, seed=1)
    firsts = [max(one) for one in passes(lengths, method)]
    assert firsts not in (sorted(firsts), sorted(firsts, reverse=True))
