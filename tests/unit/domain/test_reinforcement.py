"""What is kept of every completion."""

from __future__ import annotations

from math import exp
from typing import Any

import pytest

from cesello.domain.reinforcement import Judged, JudgedGroup


def kept(**of_it: Any) -> dict[str, Any]:
    one = Judged([5, 6, 7], [-1.0, 0.0, -2.0], True, "text", 1.0, trained=b"\1\0\1", **of_it)
    [line] = JudgedGroup([1], "q", [one]).records(1, 0)
    return line


def test_the_divergence_of_a_completion_is_that_of_its_step_never_negative() -> None:
    """k3 of the two trained tokens; the mean log ratio would be -1 here."""
    two = [exp(0.5) - 0.5 - 1, exp(1.5) - 1.5 - 1]
    assert kept(reference=[-0.5, 0.0, -0.5])["kl"] == pytest.approx(sum(two) / 2)
    assert kept(reference=[-1.0, 0.0, -2.0])["kl"] == 0
    assert kept(reference=[-1.0, 0.0, -2.0], old=[-2.0, 0.0, -2.0])["kl"] == pytest.approx((exp(1) - 2) / 2)


def test_a_divergence_without_end_is_a_large_number() -> None:
    assert kept(reference=[-1.0, 0.0, -1.0], old=[-9000.0, 0.0, -1.0])["kl"] > 1e300


def test_without_a_reference_there_is_none() -> None:
    assert kept()["kl"] is None
