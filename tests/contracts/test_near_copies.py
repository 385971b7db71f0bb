"""What every NearCopies owes, on the fake and on MinHash."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.adapters.data.minhash_copies import MinHashCopies
from cesello.domain.ports.data import NearCopies
from tests.fakes.examples import FakeNearCopies

FINDERS: dict[str, NearCopies] = {"fake": FakeNearCopies(), "minhash": MinHashCopies()}
WORDS = [f"word{number}" for number in range(60)]

text = st.lists(st.sampled_from(WORDS), min_size=1, max_size=40).map(" ".join)
similarities = st.floats(0.05, 1)
finders = st.sampled_from(list(FINDERS.values()))


def long_text(seed: str, words: int = 200) -> list[str]:
    return random.Random(seed).choices([f"{seed}{number}" for number in range(10_000)], k=words)


@pytest.fixture(params=FINDERS)
def finder(request: pytest.FixtureRequest) -> NearCopies:
    return FINDERS[request.param]


def test_without_texts_there_are_no_copies(finder: NearCopies) -> None:
    assert list(finder.find([], 0.5)) == []
    assert list(finder.find(["alone in the world"], 0.5)) == []


def test_a_copy_with_a_few_other_words_is_found_with_its_original(finder: NearCopies) -> None:
    original, other = long_text("a"), long_text("b")
    copy = [*original[:-2], "something", "else"]
    texts = [" ".join(words) for words in (other, original, copy)]
    [(position, earlier, similarity)] = finder.find(texts, 0.9)
    assert (position, earlier) == (2, 1)
    assert 0.9 <= similarity < 1
    assert list(finder.find(texts, 1)) == []


def test_of_several_the_most_similar_counts(finder: NearCopies) -> None:
    words = long_text("a")
    far, near = [*words[:-20], *long_text("b", 20)], [*words[:-5], *long_text("c", 5)]
    found = list(finder.find([" ".join(each) for each in (far, near, words)], 0.5))
    assert [(position, earlier) for position, earlier, _ in found] == [(1, 0), (2, 1)]


def test_of_equally_similar_ones_the_first_counts(finder: NearCopies) -> None:
    found = list(finder.find(["one and the same text"] * 4, 0.5))
    assert found == [(1, 0, 1.0), (2, 0, 1.0), (3, 0, 1.0)]


def test_a_copy_of_a_copy_is_one_though_it_is_no_copy_of_the_first(finder: NearCopies) -> None:
    words = long_text("a")
    second, third = (
        [*words[:-15], *long_text("b", 15)],
        [*long_text("c", 15), *words[15:-15], *long_text("b", 15)],
    )
    found = list(finder.find([" ".join(each) for each in (words, second, third)], 0.8))
    assert [(position, earlier) for position, earlier, _ in found] == [(1, 0), (2, 1)]


def test_texts_without_words_are_like_none(finder: NearCopies) -> None:
    assert list(finder.find(["", "  \n", ""], 0.1)) == []


def test_a_text_need_not_be_valid_unicode(finder: NearCopies) -> None:
    assert list(finder.find(["broken \ud800 text", "broken \ud800 text"], 0.9)) == [(1, 0, 1.0)]


def test_texts_are_taken_from_any_iterator(finder: NearCopies) -> None:
    texts: Iterator[str] = (f"just these words {number % 2}" for number in range(3))
    assert [(position, earlier) for position, earlier, _ in finder.find(texts, 1)] == [(2, 0)]


@given(finders, st.lists(text, min_size=1, max_size=12), similarities)
def test_every_text_is_reported_once_in_order_with_an_earlier_one(
    finder: NearCopies, texts: list[str], similarity: float
) -> None:
    found = list(finder.find(texts, similarity))
    positions = [position for position, _, _ in found]
    assert positions == sorted(set(positions))
    assert all(0 <= earlier < position < len(texts) for position, earlier, _ in found)
    assert all(similarity <= share <= 1 for _, _, share in found)


@given(finders, st.lists(text, min_size=1, max_size=12), similarities, st.data())
def test_an_equal_text_is_always_found(
    finder: NearCopies, texts: list[str], similarity: float, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(texts) - 1))
    found = {position: share for position, _, share in finder.find([*texts, texts[index]], similarity)}
    assert found[len(texts)] == 1


@given(finders, st.lists(st.integers(1, 60), min_size=1, max_size=12), similarities)
def test_texts_without_a_common_word_are_never_alike(
    finder: NearCopies, lengths: list[int], similarity: float
) -> None:
    texts = [" ".join(f"text{n}word{word}" for word in range(length)) for n, length in enumerate(lengths)]
    assert list(finder.find(texts, similarity)) == []


@given(finders, text, text, similarities)
def test_two_texts_are_alike_in_either_order(
    finder: NearCopies, one: str, other: str, similarity: float
) -> None:
    assert list(finder.find([one, other], similarity)) == list(finder.find([other, one], similarity))


def groups(words: str) -> set[str]:
    parts = words.split()
    return {" ".join(parts[begin : begin + 5]) for begin in range(max(len(parts) - 4, 1))}


def best(earlier: list[set[str]], mine: set[str]) -> tuple[float, int]:
    """The largest share, and which of them has it first."""
    shares = [len(mine & other) / len(mine | other) for other in earlier]
    return max(shares), shares.index(max(shares))


@given(st.lists(text, min_size=2, max_size=8), st.floats(0.2, 1), st.data())
def test_minhash_tells_the_exact_share_of_groups_of_five_words(
    texts: list[str], similarity: float, data: st.DataObject
) -> None:
    changed = texts[0].split()
    changed[data.draw(st.integers(0, len(changed) - 1))] = "changed"
    texts.append(" ".join(changed))
    sets = [groups(each) for each in texts]
    for position, earlier, share in MinHashCopies().find(texts, similarity):
        assert share == best([sets[earlier]], sets[position])[0]


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.8, 0.9, 0.95])
def test_minhash_finds_what_comparing_every_pair_finds(similarity: float) -> None:
    chance = random.Random(0)
    texts = [long_text(f"text{number}", 60) for number in range(100)]
    for number in range(100):
        copy = list(texts[number])
        for _ in range(chance.randrange(6)):
            copy[chance.randrange(len(copy))] = f"change{chance.random()}"
        texts.append(copy)
    sets = [groups(" ".join(each)) for each in texts]
    shares = {position: best(sets[:position], sets[position]) for position in range(1, len(sets))}
    wanted = [(at, earlier, share) for at, (share, earlier) in shares.items() if share >= similarity]
    assert len(wanted) > 15
    assert list(MinHashCopies().find([" ".join(each) for each in texts], similarity)) == wanted


def test_minhash_looks_past_case_blanks_and_composition() -> None:
    texts = ["Perché  no?\nSì, certo che sì!", "perche\u0301 NO? si\u0300, certo CHE s\u00ec!"]
    assert list(MinHashCopies().find(texts, 1)) == [(1, 0, 1.0)]


def test_minhash_tells_apart_what_differs_in_one_sign() -> None:
    assert list(MinHashCopies().find(["what is 3 + 4 ?", "what is 3 - 4 ?"], 0.1)) == []


def test_minhash_takes_one_very_long_text() -> None:
    words = long_text("a", 100_000)
    [(_, _, share)] = MinHashCopies().find([" ".join(words), " ".join(words[:-10_000])], 0.5)
    assert share == pytest.approx(0.9, abs=0.001)


def test_minhash_finds_a_crowd_of_which_each_is_like_every_other() -> None:
    frame = long_text("a", 60)
    texts = [" ".join([*frame, str(number)]) for number in range(2_000)]
    found = list(MinHashCopies().find(texts, 0.5))
    assert [position for position, _, _ in found] == list(range(1, 2_000))
    assert {earlier for _, earlier, _ in found} == {0}


SCRIPT = """
import json, sys
from cesello.adapters.data.minhash_copies import MinHashCopies
print(json.dumps(list(MinHashCopies().find(json.load(sys.stdin), 0.02))))
"""


def test_minhash_tells_the_same_in_every_process() -> None:
    texts = [" ".join(random.Random(number).choices(WORDS[:4], k=30)) for number in range(50)]
    here = [list(each) for each in MinHashCopies().find(texts, 0.02)]
    assert here
    for seed in ("1", "2"):
        told = subprocess.run(
            [sys.executable, "-c", SCRIPT], input=json.dumps(texts), env={"PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert json.loads(told.stdout) == here
