from __future__ import annotations

from cesello.domain.reward import RewardResult, part_totals


def test_parts_are_added_over_the_results_that_have_them() -> None:
    results = [RewardResult(1.0, {"a": 1.0, "b": 0.5}), RewardResult(None), RewardResult(0.0, {"a": 1.0})]
    assert part_totals(results) == {"a": 2.0, "b": 0.5}
    assert part_totals([]) == {}
