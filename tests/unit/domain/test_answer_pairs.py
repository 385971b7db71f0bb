from __future__ import annotations

from typing import Any

import pytest

from cesello.domain.answer_pairs import part_pairs, score_pairs
from tests.recorded_runs import sample


def test_parts_of_the_same_prompts_are_put_together() -> None:
    before = [sample("a", "no"), sample("b", "no"), sample("c", "yes", exact=1.0)]
    after = [sample("c", "no"), sample("a", "yes", exact=1.0), sample("d", "yes", exact=1.0)]
    assert part_pairs(["exact"], "chat", (before, after)) == [(0.0, 1.0), (1.0, 0.0)]
    assert part_pairs(["exact"], "other", (before, after)) == []
    assert part_pairs(["length"], "chat", (before, after)) == []
    assert part_pairs([], "chat", (before, after)) == []


@pytest.mark.parametrize(
    ("graded", "pairs"),
    [
        ({"rows": 4, "parts": {"a": 2.0, "b": 4.0}, "score": 0.75}, [(0.5, 1.0)]),
        ({"rows": 4, "parts": {"a": 2.0, "b": 4.0}, "score": 0.5}, []),  # weights, or anything else
        ({"rows": 0, "parts": {"a": 2.0}, "score": 0.5}, []),
        ({"rows": 4, "parts": {}, "score": 0.5}, []),
    ],
)
def test_a_score_is_told_by_its_parts_where_it_is_their_mean(
    graded: dict[str, Any], pairs: list[tuple[float, float]]
) -> None:
    before, after = ([sample("q", "") | {"parts": parts}] for parts in ({"a": 0, "b": 1}, {"a": 1, "b": 1}))
    assert score_pairs((graded, graded), "chat", (before, after)) == pairs


def test_rows_that_ask_the_same_are_paired_in_their_order() -> None:
    before, after = (
        [sample(prompt, "") | {"score": score} for prompt, score in zip("aba", scores, strict=True)]
        for scores in ((0.0, 0.5, 1.0), (0.25, None, 0.75))
    )
    assert score_pairs(({}, {}), "chat", (before, after)) == [(0.0, 0.25), (1.0, 0.75)]


def test_scores_that_were_kept_tell_it_whatever_their_parts_are() -> None:
    before, after = ([sample("q", "") | {"score": score}] for score in (0.25, 0.75))
    assert score_pairs(({}, {}), "chat", (before, after)) == [(0.25, 0.75)]
