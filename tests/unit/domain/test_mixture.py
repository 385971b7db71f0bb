"""The order of rows: shares at every prefix, passes, stop rules, and what the digest depends on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from math import gcd

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cesello.domain.errors import DataError
from cesello.domain.mixture import (
    Draw,
    Mixture,
    MixtureSource,
    MixtureSpec,
    StopRule,
    integer_shares,
)
from cesello.domain.permutation import permutation
from cesello.domain.source_order import source_counts, source_order

shares_lists = st.lists(st.integers(0, 40), min_size=1, max_size=6).filter(any)
weights = st.floats(0.001, 1000, allow_nan=False) | st.just(0.0)


@st.composite
def mixtures(draw: st.DrawFn) -> Mixture:
    count = draw(st.integers(1, 4))
    tenths = draw(st.lists(st.integers(0, 10), min_size=count, max_size=count).filter(any))
    rows = draw(st.lists(st.integers(1, 12), min_size=count, max_size=count))
    sources = tuple(
        MixtureSource(f"s{index}", tenth / 10, size)
        for index, (tenth, size) in enumerate(zip(tenths, rows, strict=True))
    )
    spec = MixtureSpec(
        seed=draw(st.integers(0, 2**32 - 1)),
        temperature=draw(st.none() | st.floats(0, 1)),
        max_passes=draw(st.integers(1, 3)),
        stop=draw(st.sampled_from(StopRule)),
    )
    return Mixture(spec, sources)


def drawn(mixture: Mixture, draws: Sequence[Draw]) -> list[int]:
    counts = Counter(source for source, _, _ in draws)
    return [counts[index] for index in range(len(mixture.sources))]


# Shares


@given(shares_lists)
def test_after_every_draw_each_source_is_within_one_of_its_share(shares: list[int]) -> None:
    total = sum(shares)
    counts = [0] * len(shares)
    for n, source in enumerate(islice(source_order(shares), 2 * total + 3), start=1):
        counts[source] += 1
        assert all(
            abs(total * count - n * share) < total for count, share in zip(counts, shares, strict=True)
        )


@given(st.lists(st.floats(0.001, 1, allow_nan=False), min_size=2, max_size=5))
def test_shares_of_any_weights_are_kept_at_every_prefix(given_weights: list[float]) -> None:
    sources = tuple(MixtureSource(str(index), w, 10) for index, w in enumerate(given_weights))
    shares = Mixture(MixtureSpec(), sources).planned()
    counts = [0] * len(shares)
    order = source_order(integer_shares(MixtureSpec(), sources))
    for n, source in enumerate(islice(order, 300), start=1):
        counts[source] += 1
        assert all(abs(count - n * share) < 1 + 1e-9 for count, share in zip(counts, shares, strict=True))


@given(shares_lists, st.integers(0, 500))
def test_the_order_of_sources_can_begin_anywhere(shares: list[int], start: int) -> None:
    whole = list(islice(source_order(shares), start + 20))
    assert list(islice(source_order(shares, start), 20)) == whole[start:]
    assert source_counts(shares, start) == [whole[:start].count(index) for index in range(len(shares))]


@given(st.lists(weights, min_size=1, max_size=5).filter(any))
def test_integer_shares_are_the_smallest_of_their_proportions(given_weights: list[float]) -> None:
    sources = [MixtureSource(str(index), weight, 5) for index, weight in enumerate(given_weights)]
    shares = integer_shares(MixtureSpec(), sources)
    assert gcd(*shares) == 1
    for one, weight in zip(shares, given_weights, strict=True):
        assert one / sum(shares) == pytest.approx(weight / sum(given_weights))


def test_a_temperature_takes_the_rows_instead_of_the_weights() -> None:
    sources = [MixtureSource("a", 1, 100), MixtureSource("b", 1, 400)]
    assert integer_shares(MixtureSpec(temperature=1.0), sources) == (1, 4)
    assert integer_shares(MixtureSpec(temperature=0.5), sources) == (1, 2)
    assert integer_shares(MixtureSpec(temperature=0.0), sources) == (1, 1)
    only_evaluated = MixtureSource("c", 0, 900)
    assert integer_shares(MixtureSpec(temperature=1.0), [*sources, only_evaluated]) == (1, 4, 0)


def test_nothing_to_draw_from_is_an_error() -> None:
    with pytest.raises(DataError, match="D020"):
        Mixture(MixtureSpec(), (MixtureSource("a", 0, 5),))


def test_a_weight_without_rows_is_an_error_that_names_the_source() -> None:
    with pytest.raises(DataError) as caught:
        Mixture(MixtureSpec(), (MixtureSource("a", 1, 5), MixtureSource("empty", 1, 0)))
    assert (caught.value.code, caught.value.where) == ("D021", 'source "empty"')


def test_a_source_without_weight_needs_no_rows_and_gives_none() -> None:
    mixture = Mixture(MixtureSpec(), (MixtureSource("a", 1, 5), MixtureSource("b", 0, 0)))
    assert drawn(mixture, list(mixture.order())) == [20, 0]


# The order of rows


@given(mixtures(), st.integers(0, 200))
def test_the_order_from_a_position_is_the_tail_of_the_whole(mixture: Mixture, start: int) -> None:
    assert list(mixture.order(start)) == list(mixture.order())[start:]


@given(mixtures(), st.integers(0, 100), st.integers(1, 5))
def test_ranks_share_the_order_out_without_overlap(mixture: Mixture, start: int, ranks: int) -> None:
    """Dealt out and put back together in turn, the order is whole again, from any position."""
    shards = [list(mixture.order(start, rank=rank, ranks=ranks)) for rank in range(ranks)]
    whole = list(mixture.order(start))
    assert [shards[n % ranks][n // ranks] for n in range(len(whole))] == whole
    assert sum(map(len, shards)) == len(whole)


@given(st.integers(0, 100), st.integers(0, 5))
def test_a_cycle_too_long_to_be_kept_gives_the_same_order(start: int, more: int) -> None:
    """Shares of large primes are computed draw by draw; each stays within 1 of its share there too."""
    shares = (70_001 + more, 60_013, 3)
    total = sum(shares)
    whole = list(islice(source_order(shares), start + 50))
    assert list(islice(source_order(shares, start), 50)) == whole[start:]
    for n in range(1, len(whole) + 1):
        assert all(abs(total * whole[:n].count(i) - n * share) < total for i, share in enumerate(shares))


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=6), st.floats(0, 1))
def test_a_temperature_gives_shares_of_a_short_cycle(rows: list[int], temperature: float) -> None:
    sources = [MixtureSource(str(index), 1.0, count) for index, count in enumerate(rows)]
    shares = integer_shares(MixtureSpec(temperature=temperature), sources)
    powers = [count**temperature for count in rows]
    assert sum(shares) <= 2**16 + len(rows)
    for share, power in zip(shares, powers, strict=True):
        assert share / sum(shares) == pytest.approx(power / sum(powers), abs=1e-4)


@given(mixtures())
def test_no_row_comes_again_before_all_have_come(mixture: Mixture) -> None:
    draws = list(mixture.order())
    for index, source in enumerate(mixture.sources):
        mine = [draw for draw in draws if draw[0] == index]
        for begin in range(0, len(mine), source.rows):
            one_pass = mine[begin : begin + source.rows]
            assert len({row for _, row, _ in one_pass}) == len(one_pass)
            assert {pass_index for _, _, pass_index in one_pass} == {begin // source.rows}


@given(mixtures())
def test_no_row_comes_more_often_than_allowed(mixture: Mixture) -> None:
    counts = Counter((source, row) for source, row, _ in mixture.order())
    assert max(counts.values()) <= mixture.spec.max_passes


@given(mixtures())
def test_the_order_ends_where_its_rule_says_and_not_before(mixture: Mixture) -> None:
    draws = list(mixture.order())

    def over(counts: Sequence[int]) -> bool:
        left = [
            s.rows - count
            for s, count, share in zip(mixture.sources, counts, mixture.shares, strict=True)
            if share
        ]
        match mixture.spec.stop:
            case StopRule.FIRST_EXHAUSTED:
                return min(left) <= 0
            case StopRule.ALL_SEEN:
                return max(left) <= 0
            case StopRule.MAX_STEPS:
                return False

    counts = drawn(mixture, draws)
    following = next(source_order(mixture.shares, len(draws)))
    source = mixture.sources[following]
    assert over(counts) or counts[following] == source.rows * mixture.spec.max_passes
    assert not over(drawn(mixture, draws[:-1]))


def test_each_stop_rule_on_two_sources() -> None:
    sources = (MixtureSource("small", 0.5, 2), MixtureSource("large", 0.5, 4))
    lengths = {
        stop: len(list(Mixture(MixtureSpec(max_passes=3, stop=stop), sources).order())) for stop in StopRule
    }
    assert lengths[StopRule.FIRST_EXHAUSTED] in (3, 4)
    assert lengths[StopRule.ALL_SEEN] in (7, 8)
    assert lengths[StopRule.MAX_STEPS] in (12, 13)


@given(st.integers(0, 300), st.text(max_size=20))
def test_a_permutation_holds_every_row_once(rows: int, key: str) -> None:
    assert sorted(permutation(rows, key)) == list(range(rows))


@given(st.integers(0, 40_000), st.integers(0, 40_000))
def test_a_longer_permutation_keeps_the_order_of_the_shorter(one: int, other: int) -> None:
    short, long = sorted((one, other))
    assert [row for row in permutation(long, "k") if row < short] == list(permutation(short, "k"))


PERMUTATION_OF_8 = [0, 4, 1, 6, 5, 2, 3, 7]


def test_a_permutation_is_the_same_for_ever() -> None:
    assert list(permutation(8, "0/code/0")) == PERMUTATION_OF_8
    assert list(permutation(8, "1/code/0")) != PERMUTATION_OF_8


# The digest


@given(mixtures(), st.integers(1, 9), st.text(max_size=5))
def test_the_same_digest_gives_the_same_order(mixture: Mixture, factor: int, fingerprint: str) -> None:
    """Other weights of the same proportions are another recipe with the same digest, and the same order."""
    prints = [fingerprint] * len(mixture.sources)
    scaled = tuple(replace(source, weight=source.weight * factor) for source in mixture.sources)
    again = Mixture(mixture.spec, scaled)
    if again.digest(prints) == mixture.digest(prints):
        assert list(again.order()) == list(mixture.order())
    assert (again.shares == mixture.shares) == (again.digest(prints) == mixture.digest(prints))


@given(mixtures(), st.integers(1, 1000))
def test_another_seed_or_fingerprint_gives_another_digest(mixture: Mixture, by: int) -> None:
    prints = ["f"] * len(mixture.sources)
    digest = mixture.digest(prints)
    spec = mixture.spec
    assert Mixture(replace(spec, seed=spec.seed + by), mixture.sources).digest(prints) != digest
    assert Mixture(replace(spec, max_passes=spec.max_passes + by), mixture.sources).digest(prints) != digest
    assert mixture.digest([*prints[:-1], f"f{by}"]) != digest


@given(mixtures(), mixtures())
def test_other_shares_give_another_digest(one: Mixture, other: Mixture) -> None:
    assume(one.shares != other.shares)
    same_else = replace(other.spec, seed=one.spec.seed, max_passes=one.spec.max_passes, stop=one.spec.stop)
    prints = ["f"] * len(one.sources), ["f"] * len(other.sources)
    assert Mixture(same_else, other.sources).digest(prints[1]) != one.digest(prints[0])


DIGEST = "40a8e784dd9db2aac9fc0ceba84c98cb4298a01700c7a5f3d4e473ffae9126a1"


def test_the_digest_is_the_same_for_ever() -> None:
    sources = (MixtureSource("code", 0.5, 3), MixtureSource("chat", 0.25, 5))
    assert Mixture(MixtureSpec(seed=7), sources).digest(["a", "b"]) == DIGEST


ORDER_OF_ANOTHER_PROCESS = """
from hashlib import sha256
from cesello.domain.mixture import Mixture, MixtureSource, MixtureSpec
sources = (MixtureSource("code", 0.6, 900), MixtureSource("chat", 0.3, 70), MixtureSource("it", 0.1, 500))
mixture = Mixture(MixtureSpec(seed=11, max_passes=3), sources)
print(mixture.digest(["a", "b", "c"]), sha256(repr(list(mixture.order())).encode()).hexdigest())
"""


def test_another_process_with_the_same_digest_draws_the_same_order() -> None:
    """Python gives every process other hashes of its texts, and none of them may matter."""
    told = {
        subprocess.run(
            [sys.executable, "-c", ORDER_OF_ANOTHER_PROCESS],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1
