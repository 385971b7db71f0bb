"""Folders that may be a stranger's, and what is left alone in them."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from cesello.adapters.procedure import safe_files
from cesello.adapters.procedure.safe_files import SafeFolders, read_folder, write_folder
from cesello.domain.errors import DataError, StorageError, UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "demo"
    made.mkdir()
    (made / "SKILL.md").write_text("text")
    return made


def test_files_are_read_by_path_and_sorted(folder: Path) -> None:
    (folder / "scripts").mkdir()
    (folder / "scripts" / "b.py").write_bytes(b"\x00\xff")
    (folder / ".hidden").write_text("")
    files = read_folder(folder)
    assert files == {".hidden": b"", "SKILL.md": b"text", "scripts/b.py": b"\x00\xff"}
    assert list(files) == sorted(files)


def test_what_programs_put_beside_is_left(folder: Path) -> None:
    for name in (".git/config", "__pycache__/a.pyc", ".DS_Store", ".SKILL.md.swp", "SKILL.md~", ".#SKILL.md"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    assert list(read_folder(folder)) == ["SKILL.md"]


def link_out(folder: Path) -> None:
    (folder.parent / "secret").write_text("secret")
    (folder / "link").symlink_to(folder.parent / "secret")


def socket_file(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "s"))


def too_many(folder: Path) -> None:
    for number in range(501):
        (folder / str(number)).write_text("")


def too_large(folder: Path) -> None:
    os.truncate(folder / "SKILL.md", 17 << 20)


STRANGE: list[Callable[[Path], object]] = [
    link_out,
    lambda folder: (folder / "link").symlink_to("SKILL.md"),
    lambda folder: (folder / "loop").symlink_to("."),
    lambda folder: os.mkfifo(folder / "pipe"),
    socket_file,
    lambda folder: (folder / "/".join("abcdefghij")).mkdir(parents=True),
    lambda folder: Path(os.fsdecode(bytes(folder) + b"/\xff")).write_text(""),
    lambda folder: (folder / "a\nb").write_text(""),
    too_many,
    too_large,
]


@pytest.mark.parametrize("make", STRANGE)
def test_what_is_no_file_or_too_much_is_refused(folder: Path, make: Callable[[Path], object]) -> None:
    make(folder)
    with pytest.raises(DataError, match="D046") as caught:
        read_folder(folder)
    assert caught.value.fix


def test_a_folder_that_is_a_link_is_refused_in_the_store_and_followed_for_a_person(folder: Path) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    with pytest.raises(DataError, match="D046"):
        read_folder(link)
    assert SafeFolders().read(str(link)) == {"SKILL.md": b"text"}
    assert SafeFolders().read(str(folder / "SKILL.md")) == {"SKILL.md": b"text"}
    with pytest.raises(DataError, match="D043"):
        SafeFolders().read(str(folder / "none"))


def test_what_cannot_be_read_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bytes:
        raise PermissionError(13, "no")

    monkeypatch.setattr(safe_files, "_content", refuse)
    with pytest.raises(StorageError, match="I003"):
        read_folder(folder)


def test_scripts_can_be_run(tmp_path: Path) -> None:
    write_folder(tmp_path / "new", {"run": b"#!/bin/sh\n", "a/b": b"text"})
    assert os.access(tmp_path / "new" / "run", os.X_OK)
    assert not (tmp_path / "new" / "a" / "b").stat().st_mode & 0o111


@pytest.mark.parametrize("path", ["../out", "/etc/out", "a/../../out"])
def test_nothing_is_written_outside(tmp_path: Path, path: str) -> None:
    with pytest.raises(DataError, match="D046"):
        write_folder(tmp_path / "new", {path: b""})
    assert not (tmp_path / "out").exists()


def test_a_folder_is_written_whole_or_not(tmp_path: Path) -> None:
    folders, files = SafeFolders(), {"SKILL.md": b"a", "more/b": b"b"}
    folders.write(str(tmp_path / "to" / "demo"), files)
    folders.write(str(tmp_path / "to" / "demo"), files)  # as it is already
    assert read_folder(tmp_path / "to" / "demo") == files
    with pytest.raises(UsageError, match="C112"):
        folders.write(str(tmp_path / "to" / "demo"), {"SKILL.md": b"other"})
    assert read_folder(tmp_path / "to" / "demo") == files
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="I003"):
        folders.write(str(tmp_path / "file" / "demo"), files)
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["demo"]
