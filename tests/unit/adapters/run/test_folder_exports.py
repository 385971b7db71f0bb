"""Exports on a real disk: private, and told apart from what only looks like one."""

from __future__ import annotations

import errno
import json
import stat
from pathlib import Path

import pytest

from cesello.adapters.run.folder_exports import FolderExports
from cesello.domain.errors import ModelError, RetryableError, StorageError
from cesello.domain.export import Damage, Wrong
from tests.export_workshop import MANIFEST, exported


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    place = tmp_path / "parent" / "out"
    with FolderExports().create(place) as folder:
        nested = folder.path / "more"
        nested.mkdir(mode=0o755)
        (nested / "file").write_text("x")
        (nested / "file").chmod(0o644)
        manifest = folder.finish("card", MANIFEST)
    assert set(manifest.files) == {"README.md", "more/file"}
    for path in (place, *place.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_the_manifest_is_plain_json(tmp_path: Path) -> None:
    exported(FolderExports(), tmp_path / "out")
    values = json.loads((tmp_path / "out" / "export.json").read_text())
    assert (values["into"], values["parity"]["mean_kl"]) == ("dequantised", 1e-3)
    assert "export.json" not in values["files"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"run": 1}', '{"run": {}, "into": "x", "parity": {}, "files": {}}']
)
def test_what_only_looks_like_a_manifest_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "export.json").write_text(text)
    with pytest.raises(ModelError, match="M038"):
        FolderExports().read(tmp_path)


def test_hidden_files_are_nobodys_matter(tmp_path: Path) -> None:
    place = tmp_path / "out"
    manifest = exported(FolderExports(), place)
    (place / ".gitattributes").write_text("x")
    assert FolderExports().damages(place, manifest) == ()
    (place / "sub").mkdir()
    (place / "sub" / "more").write_text("x")
    assert FolderExports().damages(place, manifest) == (Damage("sub/more", Wrong.ADDED),)


def test_what_a_killed_export_left_is_swept_up(tmp_path: Path) -> None:
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "old").write_text("x")
    manifest = exported(FolderExports(), tmp_path / "out")
    assert "old" not in manifest.files
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("number", "error", "code"),
    [(errno.ENOSPC, RetryableError, "T075"), (errno.EACCES, StorageError, "I005")],
)
def test_a_disk_that_takes_nothing_is_told(
    tmp_path: Path, number: int, error: type[RetryableError] | type[StorageError], code: str
) -> None:
    def fail(folder: Path) -> None:
        raise OSError(number, "no")

    with pytest.raises(error) as caught, FolderExports().create(tmp_path / "out") as folder:
        folder.fill(fail)
    assert (caught.value.code, caught.value.where) == (code, str(tmp_path / "out"))
    assert not list(tmp_path.iterdir())
