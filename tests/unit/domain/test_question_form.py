from __future__ import annotations

import pytest

from cesello.domain.document import Chunk
from cesello.domain.question_form import asks_for_action, kind_scores


@pytest.mark.parametrize(
    "question",
    ["Return the cache.", "removes all files", "Parsing headers", "Whether a path is hidden", "copy"],
)
def test_what_begins_with_a_verb_asks_for_an_action(question: str) -> None:
    assert asks_for_action(question)


@pytest.mark.parametrize(
    "question",
    [
        "A cache of files.",
        "List of files",
        "where are files removed?",
        "The largest file",
        "how is it parsed?",
        "",
        "?",
    ],
)
def test_other_questions_do_not(question: str) -> None:
    assert not asks_for_action(question)


@pytest.mark.parametrize(
    ("kind", "name", "language", "score"),
    [
        ("function", "load", "python", 1.0),
        ("class", "Cache", "python", 0.5),
        ("module", "", "python", 0.0),
        ("module", "Cache, load", "python", 1.0),
        ("module", "", "yaml", 1.0),
        ("section", "Use", "markdown", 1.0),
        ("text", "", "text", 1.0),
    ],
)
def test_statements_do_no_action_and_classes_seldom(
    kind: str, name: str, language: str, score: float
) -> None:
    assert kind_scores({"a": Chunk("a", 0, 1, 1, 1, "x", language, kind, name)}) == {"a": score}
