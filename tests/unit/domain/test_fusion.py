from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.fusion import (
    folded,
    is_foreign,
    judged,
    looks_like_code,
    rank_fusion,
    reciprocal_rank_fusion,
    score_fusion,
    with_file,
    words_weight,
)

share = st.floats(0, 1)
scores = st.dictionaries(st.sampled_from("abcdef"), st.floats(-1, 1))


def test_ranks_are_added_with_weights() -> None:
    fused = reciprocal_rank_fusion([["a", "b"], ["b", "c"]], [1, 0.5])
    assert fused == pytest.approx({"b": 1 / 62 + 0.5 / 61, "a": 1 / 61, "c": 0.5 / 62})
    assert list(fused) == ["b", "a", "c"]


def test_rankings_and_weights_are_as_many() -> None:
    with pytest.raises(ValueError, match="zip"):
        reciprocal_rank_fusion([["a"]], [1, 2])


def test_scores_are_scaled_to_the_highest_and_added_with_weights() -> None:
    fused = score_fusion({"a": 0.8, "b": 0.4, "d": -0.1}, {"b": 12.0, "c": 3.0}, 0.25)
    assert fused == pytest.approx({"a": 0.75, "b": 0.25 + 0.375, "c": 0.0625, "d": 0.0})
    assert list(fused) == ["a", "b", "c", "d"]


def test_cosines_are_counted_from_what_unrelated_texts_have() -> None:
    cosines = {"a": 0.8, "b": 0.7, "d": 0.4}
    fused = score_fusion(cosines, {"b": 12.0, "c": 3.0}, 0.25, floor=0.6)
    assert fused == pytest.approx({"a": 0.75, "b": 0.25 + 0.375, "c": 0.0625, "d": 0.0})
    below = score_fusion(cosines, {}, 0.0, floor=0.9)
    assert below == score_fusion(cosines, {}, 0.0), "where nothing reaches the floor the nearest is the best"


@given(
    scores, st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 50)), share, st.sampled_from([0, 0.5, -1])
)
def test_fused_scores_are_shares_best_first_and_lose_nothing(
    cosines: dict[str, float], words: dict[str, float], weight: float, floor: float
) -> None:
    fused = score_fusion(cosines, words, weight, floor)
    assert fused.keys() == cosines.keys() | words.keys()
    assert list(fused.values()) == sorted(fused.values(), reverse=True)
    assert all(0 <= score <= 1 + 1e-9 for score in fused.values())


@given(scores.filter(lambda cosines: len(set(cosines.values())) == len(cosines)))
def test_without_weight_words_change_no_order(cosines: dict[str, float]) -> None:
    near = {known: cosine for known, cosine in cosines.items() if cosine > 1e-6}
    assert list(score_fusion(near, dict.fromkeys(near, 1.0), 0.0)) == sorted(
        near, key=lambda k: (-near[k], k)
    )


def test_ranks_are_scaled_so_that_the_first_of_both_has_one() -> None:
    fused = rank_fusion({"a": 0.8, "b": 0.4}, {"a": 12.0, "c": 3.0}, 0.25)
    assert fused == pytest.approx({"a": 1.0, "b": 0.75 * 61 / 62, "c": 0.25 * 61 / 62})
    assert list(fused) == ["a", "b", "c"]


@given(scores, st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 50)), share)
def test_of_ranks_only_the_order_counts(
    cosines: dict[str, float], words: dict[str, float], weight: float
) -> None:
    fused = rank_fusion(cosines, words, weight)
    assert fused == rank_fusion(dict.fromkeys(cosines, 0.1), dict.fromkeys(words, 7.0), weight)
    assert fused.keys() == cosines.keys() | words.keys()
    assert list(fused.values()) == sorted(fused.values(), reverse=True)
    assert all(0 <= score <= 1 + 1e-9 for score in fused.values())


@pytest.mark.parametrize(
    ("query", "cosine", "has_words", "probability", "foreign"),
    [
        ("how do I bake bread?", 0.2, True, 0.0, True),
        ("how do I bake bread?", 0.2, True, None, True),
        ("how do I bake bread?", 0.3, False, 0.0, False),
        ("how is the cache cleared?", 0.2, True, 0.9, False),
        ("zzz", 0.2, False, 0.9, True),
        ("clear_cache", 0.2, True, 0.0, False),
        ("ValueError: no such thing", 0.2, True, None, False),
    ],
)
def test_what_is_about_something_else(
    query: str, cosine: float, has_words: bool, probability: float | None, foreign: bool
) -> None:
    assert is_foreign(query, cosine, has_words, probability, 0.3) is foreign


def test_nothing_found_is_nothing() -> None:
    assert score_fusion({}, {}, 0.5) == {}
    assert reciprocal_rank_fusion([], []) == {}
    assert rank_fusion({}, {}, 0.5) == {}
    assert score_fusion({"a": -0.5}, {}, 0.5) == {"a": 0.0}


def test_parts_of_a_definition_are_one_answer_under_its_beginning() -> None:
    scores = {"f 3": 0.9, "g": 0.7, "f 1": 0.4, "h 2": 0.3}
    fused = folded(scores, {"f 2": "f 1", "f 3": "f 1", "h 2": "h 1"})
    assert list(fused.items()) == [("f 1", 0.9), ("g", 0.7), ("h 1", 0.3)]
    assert folded({}, {}) == {}


def test_a_file_with_more_good_passages_comes_first_among_equals() -> None:
    scores = {"a 1": 0.9, "b 1": 0.9, "b 2": 0.3, "a 2": 0.7, "a 3": 0.5, "a 4": 0.1}
    files = {known: known[0] for known in scores}
    fused = with_file(scores, files, 0.5)
    assert fused == pytest.approx(
        {"a 1": 0.8, "b 1": 0.75, "a 2": 0.7, "a 3": 0.6, "b 2": 0.45, "a 4": 0.4},
    )
    assert list(fused) == ["a 1", "b 1", "a 2", "a 3", "b 2", "a 4"]


@given(st.dictionaries(st.sampled_from("abcdef"), share), share)
def test_a_file_of_one_passage_changes_nothing(scores: dict[str, float], weight: float) -> None:
    assert with_file(scores, {known: known for known in scores}, weight) == pytest.approx(scores)


CODE = [
    "loadFile",
    "cache",
    "load_file HttpServer",
    "ValueError: not enough values to unpack",
    "error: expected ';' before '}' token",
    "self.cache.get(key)",
    "std::vector",
]
MIXED = [
    "where is load_file called",
    "what does HttpServer do when a client leaves",
    "how is os.path used here",
]
PROSE = [
    "where is the cache cleared?",
    "Return the number of days in a month.",
    "how do errors reach the user",
]
LONG = (
    "a function that takes a list of numbers and gives the sum of those that are even and stand at odd places"
)


def test_the_more_a_query_looks_like_code_the_more_its_words_say() -> None:
    code, mixed, prose = ({words_weight(query) for query in queries} for queries in (CODE, MIXED, PROSE))
    assert len(code) == len(mixed) == len(prose) == 1
    assert 1 > code.pop() > mixed.pop() > prose.pop() > words_weight(LONG) > 0


def test_code_is_told_from_prose() -> None:
    assert all(looks_like_code(query) for query in CODE)
    assert not any(looks_like_code(query) for query in [*MIXED, *PROSE, LONG])


def test_the_weight_of_a_very_long_query_is_found_quickly() -> None:
    for query in ("A" * 10_000, "a_" * 5_000, "Aa" * 5_000, "a." * 5_000, "error" * 2_000, "a(" * 5_000):
        assert 0 < words_weight(query) < 1


@given(share, share, share)
def test_a_judged_score_is_a_share(fused: float, probability: float, weight: float) -> None:
    assert -1e-9 <= judged(fused, probability, weight) <= 1 + 1e-9


def test_a_reranker_orders_what_the_search_holds_equal_and_does_not_overrule_it() -> None:
    assert judged(0.8, 1e-4) > judged(0.8, 1e-5)
    assert judged(0.9, 1e-4) > judged(0.2, 0.99)
    assert judged(0.6, 0.99) > judged(0.65, 1e-4)
    assert judged(0.7, 0.5, 0.0) == 0.7
