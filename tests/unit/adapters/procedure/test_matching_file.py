from __future__ import annotations

import os
from pathlib import Path

import pytest

from cesello.adapters.procedure.matching_file import JsonMatchingFile
from cesello.domain.errors import DataError
from cesello.domain.procedure_match import Learnt


def test_a_link_in_the_place_of_a_half_written_file_is_not_followed(tmp_path: Path) -> None:
    """The folder may have come with a repository."""
    victim = tmp_path / "victim"
    victim.write_text("precious\n")
    (tmp_path / f".matching.json.{os.getpid()}.partial").symlink_to(victim)
    file = JsonMatchingFile(tmp_path / "matching.json")
    file.write(Learnt("embedder", "digest", (), [[0.5]], 0.1, {}))
    assert victim.read_text() == "precious\n"
    learnt = file.read()
    assert learnt
    assert learnt.embedder == "embedder"


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ('{"form": 1, "labelled": [["mine", nu', "Expecting value"),
        ('{"form": 2, "labelled": [["mine", null]]}', "form 2; this version of cesello reads form 1"),
        ("[]", "list indices"),
    ],
)
def test_what_is_damaged_is_put_aside_with_what_a_person_labelled(
    tmp_path: Path, content: str, got: str
) -> None:
    file = JsonMatchingFile(tmp_path / "matching.json", "matching.json", tmp_path / ".learnt")
    for number in ("", "2"):
        (tmp_path / "matching.json").write_text(content)
        with pytest.raises(DataError, match="D048") as told:
            file.read()
        aside = tmp_path / ".learnt" / f"matching.damaged{number}.json"
        assert aside.read_text() == content
        assert got in str(told.value)
        assert aside.name in str(told.value)
        assert file.read() is None
    assert (tmp_path / ".learnt" / ".gitignore").read_text() == "*\n"
