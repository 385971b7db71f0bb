from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cesello.domain.report_ablation import ablation_view
from cesello.domain.statistics import newcombe, wilson
from tests.recorded_runs import ablated, tuned


def test_arms_are_as_the_ablation_has_kept_them() -> None:
    made = ablation_view(replace(tuned(), ablation=ablated()))
    assert made is not None
    assert (made.source, made.reward, made.planned) == ("chat", "exact", 10)
    bare, memory = made.arms
    assert (bare.model, bare.arm, bare.solved, bare.solved_interval) == ("run", "bare", 0.2, wilson(2, 10))
    assert (bare.gain, bare.interval, bare.p, bare.grounded) == (None, None, None, 0)
    assert memory.gain == pytest.approx(0.7)
    assert memory.interval == newcombe(2, 7, 0, 1)
    assert memory.p == pytest.approx(2 / 2**7)
    assert (memory.grounded, memory.read, memory.written) == (10, 60.0, 4.0)


@pytest.mark.parametrize("kept", [{}, {"arms": 3}, {"arms": [1]}, {"arms": []}])
def test_what_is_no_ablation_has_no_part(kept: dict[str, Any]) -> None:
    assert ablation_view(replace(tuned(), ablation=kept)) is None


def test_an_arm_of_anything_is_read_as_far_as_it_goes() -> None:
    made = ablation_view(
        replace(tuned(), ablation={"arms": [{"solved": {"interval": {"low": "x"}}, "gain": 3}]})
    )
    assert made is not None
    assert (made.arms[0].solved, made.arms[0].solved_interval, made.arms[0].gain) == (None, None, None)
