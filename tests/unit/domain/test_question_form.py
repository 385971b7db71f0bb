from __future__ import annotations

import pytest

from cesello.domain.document import Chunk
from cesello.domain.question_form import asks_for_action, kind_scores


@pytest.mark.parametrize(
    "question",
    [
        "Return the cache.",
        "removes all files",
        "Returns True if there is one",
        "Copies any file",
        "Searches the index",
        "process the rows",
        "Whether a path is hidden",
        "copy",
        "Search for a file",
        "Please remove all files",
        "to load a file",
        "- `Return` the cache",
    ],
)
def test_what_begins_with_a_verb_asks_for_an_action(question: str) -> None:
    assert asks_for_action(question)


@pytest.mark.parametrize(
    "question",
    [
        "A cache of files.",
        "List of files",
        "Settings of the trainer",
        "Settings for the trainer",
        "Requests per second",
        "Requests",
        "Records in a batch",
        "Changes between versions",
        "Tests for the parser",
        "Sets of characters",
        "Logging configuration",
        "Parsing headers",
        "Mapping from names to ids",
        "Warning messages shown to users",
        "Given names",
        "Setup script",
        "is there a cache?",
        "Process-wide registry",
        "Look-up table for escapes",
        "_quote is a pattern",
        "please",
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
        ("module", "", "go", 0.0),
        ("module", "", "java", 0.0),
        ("module", "", "rust", 0.0),
        ("module", "", "c", 0.0),
        ("module", "", "bash", 1.0),
        ("module", "", "javascript", 1.0),
        ("module", "", "typescript", 1.0),
        ("module", "", "php", 1.0),
        ("module", "", "ruby", 1.0),
        ("module", "", "lua", 1.0),
        ("module", "", "css", 1.0),
        ("module", "", "html", 1.0),
        ("module", "", "json", 1.0),
        ("module", "", "sql", 1.0),
        ("module", "", "toml", 1.0),
        ("module", "", "yaml", 1.0),
        ("module", "tool.ruff", "toml", 1.0),
        ("section", "Use", "markdown", 1.0),
        ("text", "", "text", 1.0),
    ],
)
def test_statements_do_no_action_and_classes_seldom(
    kind: str, name: str, language: str, score: float
) -> None:
    assert kind_scores({"a": Chunk("a", 0, 1, 1, 1, "x", language, kind, name)}) == {"a": score}
