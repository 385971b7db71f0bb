from __future__ import annotations

from pathlib import Path

import pytest

from cesello.domain.errors import InvalidRecipe
from cesello.entrypoints.settings.labelled_requests import labelled_requests

TOKENS = ["ghp_" + "a1" * 18, "ghp_" + "b2" * 18]


def write(folder: Path, *rows: tuple[str, str]) -> Path:
    file = folder / "requests.jsonl"
    lines = (f'{{"query": "{query}", "procedure": {procedure}}}\n' for query, procedure in rows)
    file.write_text("".join(lines))
    return file


def test_one_request_is_not_for_two_procedures(tmp_path: Path) -> None:
    file = write(tmp_path, ("run it", '"a"'), ("hi", "null"), ("Run it", '"b"'), ("hi", '"a"'))
    with pytest.raises(InvalidRecipe) as told:
        labelled_requests(file)
    first, second = map(str, told.value.problems)
    assert "error[C118]" in first
    assert "requests.jsonl:3" in first
    assert 'got "b", where line 1 says "a" for the same' in first
    assert "requests.jsonl:4" in second
    assert 'got "a", where line 2 says null for the same' in second


def test_the_same_said_twice_is_no_contradiction(tmp_path: Path) -> None:
    found = labelled_requests(write(tmp_path, ("run it", '"a"'), ("run it", '"a"')))
    assert [one.procedure for one in found] == ["a", "a"]


def test_requests_that_differ_in_a_secret_are_one_from_the_start(tmp_path: Path) -> None:
    one, other = (f"push with {token}" for token in TOKENS)
    found = labelled_requests(write(tmp_path, (one, "null"), (other, "null")))
    assert {known.text for known in found} == {"push with [a token of GitHub]"}
    with pytest.raises(InvalidRecipe, match="line 1 says null"):
        labelled_requests(write(tmp_path, (one, "null"), (other, '"a"')))
