from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.doc_comment import doc_description


@pytest.mark.parametrize(
    ("comment", "description"),
    [
        ("// Adds.\n// Twice.", "Adds. Twice."),
        ("/// Adds.\n///\n/// Much more.", "Adds."),
        ("//! A module.", "A module."),
        ("/** Adds. */", "Adds."),
        ("/**\n * Adds,\n * twice.\n *\n * @param x what\n */", "Adds, twice."),
        ("/**\n     * Adds.\n     * @return a sum\n     */", "Adds."),
        ("/*\nAdds.\n*/", "Adds."),
        ("/*! Adds. */", "Adds."),
        ("# Adds.\r\n# Twice.\r\n#\r\n# More.", "Adds. Twice."),
        ("--- Adds.\n-- Twice.", "Adds. Twice."),
        ("--[[ Adds. ]]", "Adds."),
        ("<!-- Adds. -->", "Adds."),
        ("/// <summary>\n/// Adds.\n/// </summary>", "Adds."),
        ("/// Adds a < b.", "Adds a < b."),
        ("/// Adds.\n#[inline]", "Adds."),
        ("@injectable()", ""),
        ("// * a list", "* a list"),
        ("", ""),
        ("////////////", ""),
    ],
)
def test_the_first_paragraph_without_marks(comment: str, description: str) -> None:
    assert doc_description(comment) == description


@given(st.text(st.sampled_from("/*#-!<>[]=@ a\n\r"), max_size=200))
def test_any_text_gives_one_line(comment: str) -> None:
    assert "\n" not in doc_description(comment)
