"""A curve in one line."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.sparkline import ASCII, BLOCKS, GAP, same_scale, sparkline


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([0, 1, 2, 3, 4, 5, 6, 7], BLOCKS),
        ([7.0, 0.0], "█▁"),
        ([1.0, None, nan, inf, -inf, 2.0], "▁    █"),
        ([3.0, 3.0, 3.0], "▄▄▄"),
        ([5.0], "▄"),
        ([None, nan], "  "),
        ([1.7e308, -1.7e308, 0.0], "█▁▅"),
    ],
)
def test_low_is_low_and_high_is_high(values: list[float | None], line: str) -> None:
    assert sparkline(values) == line


def test_ascii_has_as_many_heights() -> None:
    assert len(ASCII) == len(BLOCKS)
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], ASCII) == ASCII
    assert ASCII.isascii()


def test_two_curves_on_one_scale() -> None:
    scale = same_scale([[0.0, None, 1.0], [4.0, nan]])
    assert scale == (0.0, 4.0)
    assert sparkline([0.0, 1.0], low=0.0, high=4.0) == "▁▃"
    assert sparkline([-9.0, 9.0], low=0.0, high=4.0) == "▁█"
    assert same_scale([[None], [nan, inf], []]) is None


@given(st.lists(st.none() | st.floats()), st.sampled_from([BLOCKS, ASCII]))
def test_one_sign_a_value_and_no_other(values: list[float | None], signs: str) -> None:
    line = sparkline(values, signs)
    assert len(line) == len(values)
    assert set(line) <= {*signs, GAP}


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2))
def test_a_higher_value_never_has_a_lower_sign(values: list[float]) -> None:
    heights = [BLOCKS.index(sign) for sign in sparkline(values)]
    pairs = sorted(zip(values, heights, strict=True))
    assert [height for _, height in pairs] == sorted(heights)
    if min(values) < max(values) and (max(values) - min(values)) > 1e-300:
        assert {0, 7} <= set(heights)
