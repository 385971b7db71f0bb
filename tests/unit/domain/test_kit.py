from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.kit import KitItem, PackagePin, Preparation, is_safe_path

PIN = PackagePin("some-words", "1.2", "ab" * 32, 10)
MEMBERS = ("*.json", "inner/*.txt")
ITEM = KitItem("words", "a test", PIN, "some_words/data", MEMBERS, Preparation.AS_IS, "MIT", "org/words", 0)


def test_a_pin_lets_pip_accept_one_wheel_only() -> None:
    assert PIN.requirement == f"some-words==1.2 --hash=sha256:{'ab' * 32}"
    assert PIN.filename == "some_words-1.2-py3-none-any.whl"


def test_a_model_lies_in_a_snapshot_of_the_hub_cache() -> None:
    assert ITEM.location == PurePosixPath("hub/models--org--words")
    assert ITEM.files == PurePosixPath("snapshots", ITEM.revision)


def test_plain_data_lies_under_its_package_name() -> None:
    data = replace(ITEM, repository=None)
    assert data.location == PurePosixPath("kit/some-words")
    assert data.files == PurePosixPath()


@pytest.mark.parametrize(
    "other",
    [
        replace(ITEM, pin=replace(PIN, sha256="cd" * 32)),
        replace(ITEM, folder="elsewhere"),
        replace(ITEM, members=("*.json",)),
        replace(ITEM, preparation=Preparation.GGUF),
    ],
)
def test_the_revision_changes_with_everything_that_changes_the_files(other: KitItem) -> None:
    assert len(ITEM.revision) == 40
    assert int(ITEM.revision, 16) >= 0
    assert other.revision != ITEM.revision
    assert replace(ITEM, purpose="another").revision == ITEM.revision


@pytest.mark.parametrize(
    ("member", "path"),
    [
        ("some_words/data/a.json", "a.json"),
        ("some_words/data/inner/b.txt", "inner/b.txt"),
        ("some_words/data/inner/deep/b.txt", None),
        ("some_words/data/inner/a.json", None),
        ("some_words/data/A.JSON", None),
        ("some_words/database/a.json", None),
        ("a.json", None),
        ("some_words/__init__.py", None),
    ],
)
def test_only_members_that_match_a_pattern_are_wanted(member: str, path: str | None) -> None:
    assert ITEM.wanted(member) == path


def test_without_a_folder_a_member_keeps_its_path() -> None:
    whole = replace(ITEM, folder="", members=("some_words/data/*.json",))
    assert whole.wanted("some_words/data/a.json") == "some_words/data/a.json"


@pytest.mark.parametrize("path", ["a", "a.json", "1_Pooling/config.json", "a b/ü.txt", "..a/b..", ".hidden"])
def test_plain_paths_are_safe(path: str) -> None:
    assert is_safe_path(path)


@pytest.mark.parametrize(
    "path",
    ["", "/", "/etc/x", "..", "../x", "a/../x", "a/./x", "a//x", "a/", "\\x", "C:x", "a\0b", "a\nb", "a*"],
)
def test_paths_that_may_leave_the_folder_are_not_safe(path: str) -> None:
    assert not is_safe_path(path)


@given(st.text(alphabet="./\\:aC\0 ~", max_size=12))
def test_a_safe_path_stays_inside_on_every_system(path: str) -> None:
    if is_safe_path(path):
        assert not PurePosixPath(path).is_absolute()
        windows = PureWindowsPath(path)
        assert not windows.drive
        assert not windows.root
        assert ".." not in windows.parts
