"""What every kernel ridge regression gives."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cesello.adapters.procedure.numpy_ridge import NumpyRidge
from cesello.domain.ports.procedure import RidgeRegression
from cesello.domain.request_features import Features
from tests.fakes.procedure_log import FakeRidge

ROW = st.builds(
    Features,
    st.lists(st.floats(-1, 1), min_size=2, max_size=2),
    st.dictionaries(st.sampled_from("abc"), st.floats(-1, 1)),
)


@pytest.mark.parametrize("ridge", [NumpyRidge(), FakeRidge()])
def test_of_one_row_it_is_what_the_formula_says(ridge: RidgeRegression) -> None:
    found = ridge.fit([Features([1.0], {"a": 1.0})], [[3.0, 0.0]], 1.0)
    assert [list(row) for row in found.votes] == [[pytest.approx(9 / 7), pytest.approx(0.0)]]
    assert [list(row) for row in found.left_out] == [[pytest.approx(0.0), pytest.approx(0.0)]]


@pytest.mark.parametrize("ridge", [NumpyRidge(), FakeRidge()])
def test_nothing_is_learnt_from_nothing(ridge: RidgeRegression) -> None:
    assert not ridge.fit([], [], 1.0).votes


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(ROW, st.lists(st.floats(-1, 1), min_size=2, max_size=2)), min_size=1, max_size=8))
def test_the_adapter_is_the_fake(rows: list[tuple[Features, list[float]]]) -> None:
    features, targets = [row for row, _ in rows], [target for _, target in rows]
    ours, simple = (one.fit(features, targets, 0.5) for one in (NumpyRidge(), FakeRidge()))
    for one, other in ((ours.votes, simple.votes), (ours.left_out, simple.left_out)):
        for row, same in zip(one, other, strict=True):
            assert list(row) == pytest.approx(list(same), abs=1e-7)
