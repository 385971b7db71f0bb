from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.search_words import match_any, search_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("load_file", ["loadfil", "load", "file"]),
        ("loadFile LoadFile loadfile", [*["loadfil", "load", "file"] * 2, "loadfil"]),
        ("HTTPServer", ["httpserver", "http", "server"]),
        ("__init__", ["init"]),
        ("sha256(x)", ["sha256", "sha", "256", "x"]),
        ("MAX_SIZE", ["maxsiz", "max", "size"]),
        ("caffèLatte größe_è", ["caffelatt", "caff", "latt", "grosse", "gross", "e"]),
        ("x" * 65, []),
        ("🙂 -- \0 \udcff", []),
        ("", []),
    ],
)
def test_identifiers_are_taken_whole_and_apart(text: str, words: list[str]) -> None:
    assert search_words(text) == words


@pytest.mark.parametrize(
    "forms",
    [
        "parse parses parsed parsing",
        "stop stops stopped stopping",
        "call calls called calling",
        "pass passes passed passing",
        "entry entries",
        "file files",
        "process processes processed processing",
    ],
)
def test_forms_of_a_word_meet(forms: str) -> None:
    assert len(set(search_words(forms))) == 1


@pytest.mark.parametrize(
    "words",
    ["this thing", "class clas", "status stat", "string str", "need nee", "bus bu", "analysis analyse"],
)
def test_what_only_looks_like_an_ending_stays(words: str) -> None:
    assert len(set(search_words(words))) == 2


def test_words_of_every_question_are_not_looked_for() -> None:
    assert match_any("How do I use the cache?") == '"cach"'
    assert match_any("where is it?") == '"wher" OR "is" OR "it"'
    assert match_any("?!") == ""


def test_a_word_is_looked_for_once_and_a_long_query_up_to_its_first_words() -> None:
    assert match_any("cache Cache caches") == '"cach"'
    assert match_any(" ".join(f"w{'a' * n}" for n in range(1, 60))).count(" OR ") == 58
    assert (
        match_any(" ".join(f"{chr(97 + n % 26)}{'b' * (n // 26 + 1)}" for n in range(500))).count(" OR ")
        == 99
    )


@pytest.fixture(scope="module")
def index() -> sqlite3.Connection:
    index = sqlite3.connect(":memory:")
    index.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
    return index


@given(st.text(st.characters(codec="utf-8"), max_size=80))
def test_a_full_text_index_finds_a_text_by_itself(index: sqlite3.Connection, text: str) -> None:
    expression = match_any(text)
    with index:
        index.execute("DELETE FROM words")
        index.execute("INSERT INTO words VALUES (?)", [" ".join(search_words(text))])
    assert bool(expression) == bool(search_words(text))
    if expression and text.isascii():
        assert index.execute("SELECT count(*) FROM words WHERE words MATCH ?", [expression]).fetchone() == (
            1,
        )
    elif expression:
        index.execute("SELECT count(*) FROM words WHERE words MATCH ?", [expression]).fetchone()


def test_text_that_is_data_is_read_quickly_whatever_it_is() -> None:
    for text in ("A" * 100_000, "a_" * 50_000, "aA" * 50_000, "é" * 100_000, "_" * 100_000):
        search_words(text)
