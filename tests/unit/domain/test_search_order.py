from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.document import Chunk
from cesello.domain.search_order import OrderWeights, in_order


def chunk(name: str, kind: str = "function", path: str = "") -> Chunk:
    return Chunk(path or f"{name}.py", 0, 1, 1, 1, "x\n", "python", kind, name)


CHUNKS = {
    "load": chunk("load_file"),
    "save": chunk("save_file"),
    "class": chunk("FileLoader", "class"),
    "imports": chunk("", "module"),
}
EQUAL = dict.fromkeys(CHUNKS, 0.5)


def test_among_equals_names_and_kinds_decide() -> None:
    assert list(in_order("Save the file", EQUAL, CHUNKS)) == ["save", "load", "class", "imports"]


def test_a_question_for_a_thing_leaves_kinds_alone() -> None:
    found = in_order("the loader of a file", EQUAL, CHUNKS, OrderWeights(names=0))
    assert found == pytest.approx(EQUAL)
    assert next(iter(in_order("the loader of a file", EQUAL, CHUNKS))) == "class"


@pytest.mark.parametrize("question", ["load_file", "FileNotFoundError: no file"])
def test_code_and_messages_ask_for_their_words_alone(question: str) -> None:
    assert in_order(question, EQUAL, CHUNKS) == pytest.approx(EQUAL)


def test_names_answer_long_questions_too() -> None:
    question = "load the file " + "and then do what has to be done with it, for good measure, at once"
    assert next(iter(in_order(question, EQUAL, CHUNKS, OrderWeights(kind=0)))) == "load"


def test_files_speak_for_their_passages() -> None:
    chunks = {"a": chunk("x", path="a.py"), "b": chunk("y", path="b.py"), "c": chunk("z", path="b.py")}
    assert list(in_order("other things", {"a": 0.5, "b": 0.5, "c": 0.9}, chunks)) == ["c", "b", "a"]


@given(st.text(), st.dictionaries(st.sampled_from(list(CHUNKS)), st.floats(0, 1)))
def test_scores_stay_shares_best_first(question: str, scores: dict[str, float]) -> None:
    found = in_order(question, scores, CHUNKS)
    assert found.keys() == scores.keys()
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert all(0 <= score <= 1 + 1e-9 for score in found.values())
