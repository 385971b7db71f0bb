"""What every ExportFolders owes, on the fake and on the disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cesello.adapters.run.folder_exports import FolderExports
from cesello.domain.errors import ModelError, UsageError
from cesello.domain.export import Damage, Wrong
from cesello.domain.ports.export import ExportFolders
from tests.export_workshop import MANIFEST, exported, fill
from tests.fakes.export import FakeExportFolders


@pytest.fixture(params=["fake", "folder"])
def folders(request: pytest.FixtureRequest) -> ExportFolders:
    return FakeExportFolders() if request.param == "fake" else FolderExports()


def test_what_is_finished_is_there_with_the_sum_of_every_file(folders: ExportFolders, tmp_path: Path) -> None:
    manifest = exported(folders, tmp_path / "out")
    assert set(manifest.files) == {"README.md", "config.json", "model.safetensors"}
    assert replace(manifest, files={}) == MANIFEST
    assert folders.read(tmp_path / "out") == manifest
    assert folders.damages(tmp_path / "out", manifest) == ()
    assert (tmp_path / "out" / "README.md").read_text() == "# A card\n"


def test_until_then_nothing_is_there(folders: ExportFolders, tmp_path: Path) -> None:
    with folders.create(tmp_path / "out") as folder:
        folder.fill(fill)
        assert (folder.path / "config.json").exists()
        assert not (tmp_path / "out").exists()
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_nothing(folders: ExportFolders, tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        fill(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), folders.create(tmp_path / "out") as folder:
        folder.fill(fail)
    assert not list(tmp_path.iterdir())


def test_an_empty_folder_can_be_filled(folders: ExportFolders, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    exported(folders, tmp_path / "out")
    assert (tmp_path / "out" / "config.json").exists()


@pytest.mark.parametrize("what", ["file", "folder"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_not_ours_is_never_replaced(
    folders: ExportFolders, tmp_path: Path, what: str, overwrite: bool
) -> None:
    place = tmp_path / "out"
    mine = place if what == "file" else place / "mine.txt"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(UsageError) as caught:
        exported(folders, place, overwrite=overwrite)
    assert (caught.value.code, caught.value.where) == ("C060", str(place))
    assert mine.read_text() == "mine"


def test_an_export_is_replaced_when_that_is_asked(folders: ExportFolders, tmp_path: Path) -> None:
    place = tmp_path / "out"
    exported(folders, place)
    (place / "left over").write_text("x")
    with pytest.raises(UsageError, match="C060"):
        exported(folders, place)
    with pytest.raises(KeyboardInterrupt), folders.create(place, overwrite=True):
        raise KeyboardInterrupt
    assert (place / "left over").exists()
    exported(folders, place, overwrite=True)
    assert not (place / "left over").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_every_damage_is_told(folders: ExportFolders, tmp_path: Path) -> None:
    place = tmp_path / "out"
    manifest = exported(folders, place)
    (place / "config.json").write_text("{ }")
    (place / "model.safetensors").unlink()
    (place / "tokenizer.json").write_text("{}")
    assert list(folders.damages(place, manifest)) == [
        Damage("config.json", Wrong.CHANGED),
        Damage("model.safetensors", Wrong.MISSING),
        Damage("tokenizer.json", Wrong.ADDED),
    ]


def test_a_folder_that_holds_no_export_is_told(folders: ExportFolders, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ModelError) as caught:
            folders.read(place)
        assert caught.value.code == "M038"
        assert str(place) in str(caught.value)
