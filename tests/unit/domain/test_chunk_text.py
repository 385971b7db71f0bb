from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.chunk_text import code_words, definition_of, embedding_text, name_in_words, reranking_text
from cesello.domain.document import Chunk
from tests.remembered import chunk


def test_a_function_is_embedded_under_its_name_and_description() -> None:
    assert embedding_text(chunk(description="Does it.")) == (
        "# Function: A.b\n# Description: Does it.\ndef b(self): ...\n"
    )


def test_a_later_part_is_embedded_under_its_signature() -> None:
    part = chunk(text="    return 1\n", header="def b(self) -> int:")
    assert embedding_text(part) == "# Function: A.b\ndef b(self) -> int:\n    return 1\n"


@pytest.mark.parametrize(
    ("kind", "name", "line"),
    [("class", "A", "# Class: A"), ("module", "A, f", "# Definitions: A, f"), ("text", "", None)],
)
def test_the_kind_names_the_name(kind: str, name: str, line: str | None) -> None:
    lines = embedding_text(chunk(kind=kind, name=name)).splitlines()
    assert lines == [*([line] if line else []), "def b(self): ..."]


def test_a_file_that_is_renamed_keeps_its_embedding_text() -> None:
    assert embedding_text(chunk(path="other.py")) == embedding_text(chunk())


def test_a_cell_is_read_as_its_author_sees_it() -> None:
    cell = chunk(name="", text='"x = 1\\n"', readable="x = 1\n")
    assert embedding_text(cell) == "x = 1\n"
    assert reranking_text(cell).endswith("x = 1")


def test_a_reranker_reads_the_name_aloud_then_where_it_is_and_the_code() -> None:
    part = chunk(
        name="Cache.loadFile",
        description="Reads it.",
        header="def loadFile(self):",
        text="    if a:\n        return 1\n",
    )
    assert reranking_text(part) == (
        "cache load file (src/app.py Cache.loadFile): Reads it. def loadFile(self): if a:\nreturn 1"
    )
    assert reranking_text(part, 4).endswith(" if a")


def test_a_reranker_reads_code_without_a_name_too() -> None:
    assert reranking_text(chunk(name="")) == "(src/app.py): def b(self): ..."


def test_a_strange_path_is_read_on_one_line() -> None:
    assert reranking_text(chunk(path="a\nb\udcff.py")).startswith("a b (a b\\udcff.py A.b): ")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Cache.loadFile, save_all", "cache load file save all"),
        ("HTTPServer2", "http server 2"),
        ("Käse.öffne", "Käse.öffne"),
        ("", ""),
    ],
)
def test_a_name_is_read_aloud(name: str, words: str) -> None:
    assert name_in_words(name) == words


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def loadFile(self, *, max_size: int = 2): ...", "def load File self max size int 2"),
        ('if x != "\\n" and not y[0]:', "if x n and not y 0"),
        ("HTTPServer v2Beta ΑΒγ naïveName", "HTTPServer v2 Beta ΑΒγ naïve Name"),
        ("«क्रिया» — é, 名前。🙂", "«क्रिया» — é 名前。🙂"),
        ("{([])};", ""),
        ("", ""),
    ],
)
def test_code_is_words_to_a_model_of_prose(code: str, words: str) -> None:
    assert " ".join(code_words(code).split()) == words


@given(st.text())
def test_words_lose_no_letter_and_keep_their_lines(text: str) -> None:
    signs = set(string.punctuation)
    assert [sign for sign in code_words(text) if not sign.isspace()] == [
        sign for sign in text if not sign.isspace() and sign not in signs
    ]
    assert code_words(text).splitlines() == [code_words(line) for line in text.splitlines()]


def parts(*named: tuple[str, str]) -> list[Chunk]:
    return [chunk(start=10 * at, name=name, header=header) for at, (name, header) in enumerate(named)]


def test_a_part_belongs_to_the_chunk_its_definition_begins_in() -> None:
    file = parts(("f, A.b", ""), ("A.b", "def b():"), ("A.b", "def b():"), ("A.c", ""), ("A", "class A:"))
    assert [len(definition_of(one, file)) for one in file] == [3, 3, 3, 1, 1]
    assert definition_of(file[2], file) == tuple(file[:3])


def test_a_part_that_shares_its_chunk_with_another_definition_stands_alone() -> None:
    file = parts(("A.b", ""), ("A.b, A.c", "def b():"), ("A.c", "def c():"))
    assert [definition_of(one, file) for one in file] == [tuple(file[:1]), tuple(file[1:]), tuple(file[1:])]
