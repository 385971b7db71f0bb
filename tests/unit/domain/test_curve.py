"""What is kept of a curve is small, and true."""

from __future__ import annotations

import sys
from math import inf, isfinite, isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.curve import Curve

FIGURES = st.lists(st.none() | st.floats(), max_size=3000)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(FIGURES, st.integers(1, 200))
def test_first_last_least_and_most_are_those_of_the_numbers(values: list[float | None], width: int) -> None:
    curve = Curve(values)
    known = [value for value in values if value is not None and isfinite(value)]
    assert (curve.first, curve.last) == ((known[0], known[-1]) if known else (None, None))
    assert (curve.least, curve.most) == ((min(known), max(known)) if known else (None, None))
    assert curve.count == len(values)
    columns = curve.columns(width)
    assert len(columns) <= width
    assert all(column is None or curve.least <= column <= curve.most for column in columns)  # type: ignore[operator]


@given(st.lists(NUMBERS, min_size=2, max_size=3000), st.integers(2, 200))
def test_the_extremes_are_shown_whatever_the_width(values: list[float], width: int) -> None:
    columns = [column for column in Curve(values).columns(width) if column is not None]
    assert min(columns) == min(values)
    assert max(columns) == max(values)


@given(st.lists(st.none() | NUMBERS, max_size=40), st.integers(40, 90))
def test_few_values_are_shown_as_they_are(values: list[float | None], width: int) -> None:
    assert Curve(values).columns(width) == values


@given(st.lists(NUMBERS, min_size=1, max_size=2000))
def test_every_column_has_a_number_where_every_value_is_one(values: list[float]) -> None:
    columns = Curve(values).columns(60)
    assert len(columns) == min(60, len(columns))
    assert None not in columns


@pytest.mark.parametrize("gap", [None, nan, inf, -inf])
def test_what_is_no_number_is_a_gap(gap: float | None) -> None:
    assert Curve([1.0, gap, 2.0]).columns(3) == [1.0, None, 2.0]
    assert Curve([gap] * 1000).columns(10) == [None] * 10
    assert Curve([1.0] * 500 + [gap] * 500).columns(10) == [1.0] * 5 + [None] * 5


def test_a_column_is_the_mean_of_its_values() -> None:
    columns = Curve([float(n) for n in range(100)]).columns(10)
    assert columns[1:-1] == [pytest.approx(10 * at + 4.5) for at in range(1, 9)]
    assert (columns[0], columns[-1]) == (0.0, 99.0)


def test_every_spike_is_seen() -> None:
    values = [1.0 + (n % 7) / 100 for n in range(10_000)]
    for at in (1_234, 5_678, 8_765):
        values[at] = 9.0
    values[8_765] = 9.5
    assert sum(column is not None and column > 8 for column in Curve(values).columns(40)) == 3


def test_a_rise_stays_a_rise() -> None:
    columns = Curve([n / 1e6 for n in range(100_000)]).columns(50)
    assert columns == sorted(columns, key=lambda value: -1 if value is None else value)


def test_what_is_kept_does_not_grow() -> None:
    def size(curve: Curve) -> int:
        stretches = curve._stretches
        return sys.getsizeof(stretches) + sum(map(sys.getsizeof, stretches))

    short, long = Curve([0.5] * 600), Curve([0.5] * 200_000)
    assert size(long) <= 2 * size(short)
    assert len(long.columns(200)) == 200
    assert not isnan(long.columns(1)[0] or 0)


def test_figures_that_are_nearly_too_large_do_not_overflow() -> None:
    assert Curve([1e308, -1e308] * 300).columns(2) == [-1e308, 1e308]
