from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.remembered import EVERYTHING, KEY_LENGTH, Selection, key_of


@pytest.mark.parametrize(
    ("pattern", "fits", "misses"),
    [
        ("src", ["src/a.py", "src/deep/b.py", "src"], ["srcs/a.py", "lib/src/a.py", "a.py"]),
        ("src/", ["src/a.py"], ["srcs/a.py"]),
        ("src/*.py", ["src/a.py", "src/deep/b.py"], ["src/a.pyc", "a.py"]),
        ("*.py", ["a.py", "src/a.py"], ["a.pyi", "py"]),
        ("src/?.py", ["src/a.py"], ["src/ab.py"]),
        ("src/[ab].py", ["src/a.py", "src/[ab].py"], ["src/c.py"]),
        ("a.py", ["a.py"], ["src/a.py", "A.py"]),
        (".", ["a.py", "src/a.py", "..a/b.py"], ["../b.py", "../../c.py", ".."]),
        ("./", ["a.py"], ["../b.py"]),
        ("./src", ["src/a.py", "src"], ["a.py"]),
        (".//./src/*.py", ["src/a.py"], ["a.py"]),
        ("..", ["../b.py", "a.py", ".."], ["../../c.py", "../../lib/c.py"]),
        ("../..", ["../b.py", "a.py", "../../c.py"], ["../../../d.py"]),
        ("", ["a.py"], []),
        ("[", ["[", "[/a.py"], ["a.py"]),
        ("app/[id]", ["app/[id]/page.tsx"], ["app/id.tsx", "app/i/page.tsx"]),
        ("app/[id]/*.tsx", ["app/[id]/page.tsx", "app/i/page.tsx"], ["app/id/page.tsx", "app/[id]/a.css"]),
        ("../lib", ["../lib/a.py"], ["lib/a.py"]),
        ("a\nb", ["a\nb", "a\nb/c"], ["a"]),
        ("ü*", ["über/🙂.py"], ["u.py"]),
    ],
)
def test_paths_fit_folders_and_patterns(pattern: str, fits: list[str], misses: list[str]) -> None:
    only = Selection((pattern,))
    assert [path for path in [*fits, *misses] if only.fits_path(path)] == fits


def test_one_of_the_patterns_must_fit() -> None:
    only = Selection(("docs", "*.py"))
    assert [path for path in ("docs/a.md", "a.py", "a.md") if only.fits_path(path)] == ["docs/a.md", "a.py"]


def test_nothing_said_is_everything() -> None:
    assert not EVERYTHING
    assert EVERYTHING.fits_path("any")
    assert all([Selection(("a",)), Selection(languages=("go",)), Selection(kinds=("class",))])
    assert Selection(languages=("go",)).fits_path("any")


@given(st.text(), st.text().filter(lambda path: not path.startswith("./")))
def test_no_pattern_is_an_error_and_every_path_fits_itself(pattern: str, path: str) -> None:
    Selection((pattern,)).fits_path(path)
    assert Selection((path,)).fits_path(path.rstrip("/"))


@given(st.text(), st.text())
def test_texts_and_keys_go_together(one: str, other: str) -> None:
    assert len(key_of(one)) == KEY_LENGTH
    assert (key_of(one) == key_of(other)) == (one == other)


def test_half_a_pair_of_surrogates_has_a_key() -> None:
    assert key_of("\ud800") != key_of("\udfff")
