from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.request_features import (
    LONGEST,
    Features,
    Vocabulary,
    features,
    normalised,
    says_something,
)

VOCABULARY = Vocabulary(["fix the failing test", "the readme", "aggiorna le dipendenze"])


def alike(one: str, other: str) -> float:
    return Features([0.0], VOCABULARY.sparse(one)).product(Features([0.0], VOCABULARY.sparse(other)))


@pytest.mark.parametrize(
    ("near", "far"),
    [("tests failing", "write a poem"), ("aggiornare la dipendenza", "cuocere la pasta"), ("TÈST", "food")],
)
def test_words_of_one_stem_are_near_in_any_language(near: str, far: str) -> None:
    known = {"tests failing": "fix the failing test", "TÈST": "test"}.get(near, "aggiorna le dipendenze")
    assert alike(near, known) > alike(far, known) + 0.2


def test_the_product_with_itself_is_the_number_of_parts() -> None:
    (made,) = features(["fix it"], [[0.6, 0.8]], VOCABULARY)
    assert made.product(made) == pytest.approx(3.0)


@given(st.text())
def test_what_is_normalised_stays_so_and_is_on_one_line(text: str) -> None:
    once = normalised(text)
    assert len(once.splitlines()) <= 1
    assert len(once) <= LONGEST
    VOCABULARY.sparse(once)


@pytest.mark.parametrize("text", ["", " ", "👍", "?!", "12345", "a b c"])
def test_what_has_no_word_says_nothing(text: str) -> None:
    assert not says_something(text)


@pytest.mark.parametrize("text", ["hello", "fix", "è ok"])
def test_a_word_says_something(text: str) -> None:
    assert says_something(text)
