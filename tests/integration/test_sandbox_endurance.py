"""Thousands of gradings, three in ten of them hostile, cost no more at the end than at the beginning."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.sandbox import endurance
from cesello.adapters.sandbox.local_sandbox import LocalSandbox


def lasts(count: int) -> dict[str, Any]:
    sandbox = LocalSandbox()
    result: dict[str, Any] = endurance(sandbox, count)
    sandbox.close()
    assert result["mistakes"] == 0
    assert result["zombies, most"] == 0
    for what in ("descriptors", "processes"):
        early, late = result[what]
        assert late <= early, what
    early, late = result["megabytes"]
    assert late <= early + 3
    early, late = result["megabytes of its processes"]
    assert late <= early + 5
    return result


def test_a_few_hundred_gradings_leave_nothing_behind() -> None:
    lasts(400)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_thousand_gradings_leave_nothing_behind() -> None:
    assert lasts(10_000)["per second"] > 10  # far below the benchmark's figure: whatever else runs here
