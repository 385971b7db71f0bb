from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.report_samples import differing, sample_pairs
from tests.recorded_runs import sample, tuned


@given(st.text(max_size=60), st.text(max_size=60))
def test_the_parts_are_the_whole_texts(old: str, new: str) -> None:
    before, after = differing(old, new)
    assert "".join(words for words, _ in before) == old
    assert "".join(words for words, _ in after) == new
    same = ["".join(words for words, differs in one if not differs) for one in (before, after)]
    assert same[0] == same[1]


def test_what_differs_is_marked_word_by_word() -> None:
    before, after = differing("it is two", "it was two")
    assert before == (("it ", False), ("is", True), (" two", False))
    assert after == (("it ", False), ("was", True), (" two", False))


def test_what_any_two_texts_have_in_common_is_no_sameness() -> None:
    before, after = differing("one, a three", "two, b four")
    assert before == (("one, a three", True),)
    assert after == (("two, b four", True),)


def test_texts_of_very_many_words_are_marked_as_a_whole() -> None:
    before, _ = differing("a b " * 400, "c")
    assert [differs for _, differs in before] == [True]


def test_what_became_better_comes_first_and_what_stayed_the_same_last() -> None:
    before = [sample("a", "x"), sample("b", "x"), sample("c", "x", exact=1.0), sample("d", "x")]
    after = [sample("a", "x"), sample("b", "y"), sample("c", "y"), sample("d", "y", exact=1.0)]
    pairs = sample_pairs(replace(tuned(), samples={"before": before, "after": after}))
    assert [(pair.prompt, pair.change) for pair in pairs] == [
        ("d", "better"), ("c", "worse"), ("b", "other"), ("a", "same"),
    ]  # fmt: skip


def test_answers_to_different_prompts_are_not_compared() -> None:
    samples = {"before": [sample("a", "x")], "after": [sample("b", "x")]}
    assert sample_pairs(replace(tuned(), samples=samples)) == ()


def test_a_secret_of_which_a_part_differs_is_out_before_it_is_taken_apart() -> None:
    before, after = (sample("q", f"it is password = {word}-secret-long") for word in ("correct1", "battery2"))
    [pair] = sample_pairs(replace(tuned(), samples={"before": [before], "after": [after]}))
    assert "".join(said for said, _ in (*pair.before, *pair.after)) == "it is password = [secret]" * 2
