from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.document import Chunk
from cesello.domain.name_match import name_scores


def chunk(name: str = "", text: str = "pass\n", kind: str = "function") -> Chunk:
    return Chunk("a.py", 0, len(text), 1, 1, text, "python", kind if name else "module", name)


def scored(question: str, **names: str) -> dict[str, float]:
    return name_scores(question, {known: chunk(name) for known, name in names.items()})


def test_the_name_that_says_what_is_asked_scores_highest() -> None:
    scores = scored("Load a file of settings", a="load_settings", b="load_cache", c="close")
    assert scores["a"] > scores["b"] > scores["c"] == 0


def test_a_name_of_all_the_words_and_no_others_scores_one() -> None:
    assert scored("Load the file", a="Cache.load_file")["a"] == pytest.approx(1)
    assert scored("loads files", a="loadFile")["a"] == pytest.approx(1)


def test_words_that_a_name_has_beside_lower_its_score() -> None:
    scores = scored("Load the file", a="load_file", b="load_file_from_old_cache")
    assert 0 < scores["b"] < scores["a"]


def test_rare_words_say_more_than_those_of_many_names() -> None:
    many = {f"x{n}": "read_line" for n in range(20)}
    scores = scored("the checksum of a line", a="checksum", **many)
    assert scores["a"] > scores["x1"] > 0


def test_a_name_that_begins_as_the_question_does_comes_first_among_equals() -> None:
    scores = scored("Copy files and move them", a="copy_link", b="link_copy")
    assert scores["a"] > scores["b"] > 0


def test_the_best_of_several_names_counts_and_what_they_are_in_does_not() -> None:
    scores = scored("Load the file", a="Cache.save, Cache.load_file, close", b="load_file.inner")
    assert scores["a"] == pytest.approx(1)
    assert scores["b"] == 0


@pytest.mark.parametrize(
    "text",
    ["LARGEST_FILE = 3\n", "import os\n\nLARGEST_FILE: int = 3\n", "  export const largestFile = 3;\n"],
)
def test_statements_have_the_names_that_they_assign(text: str) -> None:
    statements = {"a": chunk(text=text), "b": chunk(text="if largest_file == 3:\n    close()\n")}
    scores = name_scores("the largest file", statements)
    assert scores["a"] > 0.8
    assert scores["b"] == 0


def test_a_score_is_f_of_the_words_by_their_rarity() -> None:
    scores = scored("copy of a tree", a="tree_walk", b="walk")
    rare = {word: math.log(1 + 2 / (1 + times)) for word, times in {"copy": 0, "tree": 1, "walk": 2}.items()}
    of_name, of_question = (rare["tree"] / (rare["tree"] + rare[other]) for other in ("walk", "copy"))
    whole = 1.64 * of_name * of_question / (0.64 * of_name + of_question)
    assert scores["a"] == pytest.approx(0.85 * whole)


@pytest.mark.parametrize("name", ["tempdir_path", "temp_path_dir", "dir_of_path", "makedirs"])
def test_words_that_are_shortened_or_written_together_are_found(name: str) -> None:
    scores = scored("the directory in the dirs", a=name, b="load_config")
    assert scores["a"] > scores["b"] == 0


def test_the_same_word_fits_better_than_one_that_is_alike() -> None:
    scores = scored("Load the configuration", a="load_configuration", b="load_config", c="load_co")
    assert scores["a"] > scores["b"] > scores["c"] > 0


def test_of_an_endless_question_the_first_words_are_compared() -> None:
    words = " ".join(f"{number}colour" for number in range(10_000))
    assert scored(f"{words} table", a="table")["a"] == 0
    assert scored(f"table {words}", a="table")["a"] > 0


@given(st.text(), st.dictionaries(st.sampled_from("abc"), st.tuples(st.text(), st.text())))
def test_scores_are_shares_of_every_chunk(question: str, texts: dict[str, tuple[str, str]]) -> None:
    scores = name_scores(question, {known: chunk(name, text) for known, (name, text) in texts.items()})
    assert scores.keys() == texts.keys()
    assert all(0 <= score <= 1 + 1e-9 for score in scores.values())


@pytest.mark.parametrize(
    "text", ["x" * 200_000, "a:" * 100_000, "\t " * 100_000, "const " * 50_000, "a: b" * 50_000]
)
def test_what_is_assigned_is_found_behind_hostile_lines(text: str) -> None:
    assert name_scores("where is the colour?", {"a": chunk(text=text)}) == {"a": 0.0}
    assert name_scores("where is the colour?", {"a": chunk(text=f"{text}\ncolour = 3\n")})["a"] > 0.8


def test_of_a_long_table_the_first_names_are_looked_at() -> None:
    lines = [f"other{number} = {number}\n" for number in range(50_000)]
    for at, found in ((19, True), (20, False)):
        text = "".join([*lines[:at], "colour = 3\n", *lines[at:]])
        assert (name_scores("where is the colour?", {"a": chunk(text=text)})["a"] > 0) is found


@pytest.mark.parametrize(
    ("kind", "language", "name", "readable"),
    [
        ("section", "markdown", "What is new in 2.0, and why", None),
        ("module", "python", "new in 2.0 > cell 1", "x = 1"),
        ("module", "toml", "new.why", None),
    ],
)
def test_names_that_are_no_dotted_names_are_whole(
    kind: str, language: str, name: str, readable: str | None
) -> None:
    its = Chunk("a", 0, 1, 1, 1, "x", language, kind, name, readable=readable)
    assert name_scores("what is new", {"a": its})["a"] > 0
