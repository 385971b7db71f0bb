from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cesello.domain.errors import StoreError
from cesello.domain.retrieval import as_cosine, checked_recall, is_unit, unit_vector

numbers = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)


@given(st.lists(numbers, min_size=1, max_size=8).filter(any))
@example([5e-324, 5e-324])
def test_a_unit_vector_has_length_one_and_the_same_direction(vector: list[float]) -> None:
    unit = unit_vector(vector)
    assert math.isclose(math.hypot(*unit), 1.0)
    assert all(math.copysign(1, a) == math.copysign(1, b) for a, b in zip(unit, vector, strict=True))


@pytest.mark.parametrize(
    ("vector", "is_one"),
    [
        ([0.6, 0.8], True),
        ([0.6, 0.8004], True),
        ([0.0, 0.0], False),
        ([1.2, 1.6], False),
        ([math.nan], False),
    ],
)
def test_a_kept_vector_of_length_one_is_told_from_others(vector: list[float], is_one: bool) -> None:
    assert is_unit(vector) is is_one


def test_the_zero_vector_stays() -> None:
    assert unit_vector([0, 0]) == (0.0, 0.0)


@pytest.mark.parametrize("part", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(part: float) -> None:
    with pytest.raises(StoreError) as refused:
        unit_vector([1.0, part])
    assert refused.value.code == "S002"
    assert refused.value.fix


@pytest.mark.parametrize(("vector", "dimension"), [([1.0], 2), ([1.0, 2.0, 3.0], 2), ([], None)])
def test_another_dimension_is_refused(vector: list[float], dimension: int | None) -> None:
    with pytest.raises(StoreError) as refused:
        unit_vector(vector, dimension)
    assert refused.value.code == "S001"
    assert f"{len(vector)} numbers" in str(refused.value)


@pytest.mark.parametrize("recall", [0, -1])
def test_a_recall_below_one_is_refused(recall: int) -> None:
    with pytest.raises(StoreError, match=f"got recall {recall} -> expected 1 or more"):
        checked_recall(recall)


def test_rounding_does_not_leave_the_range_of_cosines() -> None:
    assert [as_cosine(x) for x in (-1.0000001, 0.5, 1.0000001)] == [-1.0, 0.5, 1.0]
