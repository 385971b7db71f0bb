from __future__ import annotations

from itertools import pairwise
from math import exp, inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.schedule import StepReport, TrainingPlan, cosine_factor, perplexity, stream_seed


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_cosine_begins_at_the_peak_ends_at_its_end_and_stays_there(total: int, final: float) -> None:
    assert cosine_factor(0, total, final) == pytest.approx(1)
    assert cosine_factor(total, total, final) == pytest.approx(final)
    assert cosine_factor(total + 5, total, final) == pytest.approx(final)


@given(st.integers(2, 500), st.floats(0, 1))
def test_a_cosine_never_rises(total: int, final: float) -> None:
    values = [cosine_factor(step, total, final) for step in range(total + 1)]
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(values))
    assert cosine_factor(0, 0, final) == pytest.approx(1)


def test_half_way_a_cosine_is_half_way() -> None:
    assert cosine_factor(50, 100, 0.0) == pytest.approx(0.5)
    assert cosine_factor(50, 100, 0.1) == pytest.approx(0.55)


def test_a_report_tells_perplexity_and_speed() -> None:
    report = StepReport(1, 2.0, 1e-3, 1.0, tokens=100, trained_tokens=10, seconds=4.0)
    assert report.perplexity == pytest.approx(exp(2))
    assert report.tokens_per_second == 25
    assert StepReport(1, 2.0, 1e-3, 1.0, 100, 10, 0.0).tokens_per_second == 0


def test_a_perplexity_beyond_all_numbers_is_infinite() -> None:
    assert perplexity(1e6) == inf
    assert perplexity(699.0) < inf


def test_a_step_has_the_rows_of_its_micro_batches() -> None:
    assert TrainingPlan(max_steps=1, batch_size=2, accumulate=8).rows_per_step == 16


def test_every_seed_step_and_pass_has_a_stream_of_its_own() -> None:
    seeds = {
        stream_seed(seed, step, number, use)
        for seed in range(6)
        for step in range(30)
        for number in range(15)
        for use in ("dropout", "sampling")
    }
    assert len(seeds) == 6 * 30 * 15 * 2
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_parts_of_a_stream_do_not_run_together() -> None:
    assert len({stream_seed(1, 12, 3), stream_seed(1, 1, 23), stream_seed(11, 2, 3)}) == 3


def test_a_stream_is_the_same_on_every_machine() -> None:
    assert stream_seed(0, 1, 2, "dropout") == 5544144554551187440


@pytest.mark.parametrize(
    ("loss", "norm", "skipped"),
    [(1.0, 1.0, False), (nan, 1.0, True), (1.0, nan, True), (inf, 1.0, True), (1.0, inf, True)],
)
def test_a_step_that_is_not_finite_is_left_out(loss: float, norm: float, skipped: bool) -> None:
    assert StepReport(1, loss, 1e-3, norm, 100, 10, 1.0).skipped is skipped


def test_token_accuracy_is_the_share_of_right_labels() -> None:
    assert StepReport(1, 2.0, 1e-3, 1.0, 100, 10, 1.0, right=4).token_accuracy == 0.4
    assert StepReport(1, 2.0, 1e-3, 1.0, 100, 10, 1.0, right=0).token_accuracy == 0.0
    assert StepReport(1, 2.0, 1e-3, 1.0, 100, 0, 1.0, right=0).token_accuracy == 0.0
    assert StepReport(1, 2.0, 1e-3, 1.0, 100, 10, 1.0).token_accuracy is None
