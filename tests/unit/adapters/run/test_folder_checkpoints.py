"""Checkpoints on a real disk: private and plain, and what of them stays."""

from __future__ import annotations

import json
import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from cesello.adapters.run.folder_checkpoints import FolderCheckpoints
from cesello.domain.checkpoint import CheckpointPlan
from cesello.domain.errors import Interrupted, RetryableError
from tests.unit.adapters.run.saved_checkpoints import (
    FILES,
    LAST,
    TWO,
    cut,
    is_saved,
    manifest_of,
    save,
    state,
    tensors,
    writes,
)


def test_a_checkpoint_is_a_private_folder_of_plain_files(two: FolderCheckpoints, folder: Path) -> None:
    place = folder / "step-00000002"
    assert sorted(path.name for path in place.iterdir()) == FILES
    assert {name: (place / name).read_bytes() for name in tensors(2)} == tensors(2)
    values = json.loads((place / "state.json").read_text())
    assert (values["step"], values["optimizer"]["lr"]) == (2, 0.30000000000000004)
    assert values["progress"]["perplexity"] == {"$float": "inf"}
    assert values["logs"] == {"metrics.jsonl": {"size": 14, "sha256": "ab" * 32}}
    assert (place / "MANIFEST.json").read_text() == manifest_of(
        {name: (place / name).read_bytes() for name in FILES[1:]}
    )


def test_nobody_else_can_read_it(folder: Path) -> None:
    old = os.umask(0)
    try:
        save(FolderCheckpoints(folder), 1)
    finally:
        os.umask(old)
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_copy_of_other_modes_is_whole(two: FolderCheckpoints, folder: Path, tmp_path: Path) -> None:
    """Whoever copies a run to another machine brings bytes, and seldom modes."""
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    found, damages = FolderCheckpoints(shutil.copytree(folder, tmp_path / "copy")).newest()
    assert found is not None
    assert is_saved(found, 2)
    assert not damages


# What stays and what goes


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_damaged_ones_make_no_place_for_whole_ones(two: FolderCheckpoints, folder: Path) -> None:
    cut(folder / "step-00000002" / "lora.safetensors")
    save(two, 3)
    assert names(folder) == ["step-00000001", "step-00000003"]


def test_those_after_the_one_that_is_saved_are_of_a_training_that_is_no_more(
    two: FolderCheckpoints, folder: Path
) -> None:
    save(two, 1, LAST, version=1)
    assert names(folder) == ["step-00000001"]


def test_what_was_set_aside_is_read_and_comes_back(two: FolderCheckpoints, folder: Path) -> None:
    (folder / "step-00000002").rename(folder / ".step-00000002.old")
    found, damages = two.newest()
    assert found is not None
    assert is_saved(found, 2)
    assert not damages

    def fail(partial: Path) -> None:
        raise Interrupted(15, "stopped")

    with pytest.raises(Interrupted):
        two.save(state(3), fail, TWO)
    assert names(folder) == ["step-00000001", "step-00000002"]


def test_a_newest_that_was_set_aside_is_kept_by_the_next(two: FolderCheckpoints, folder: Path) -> None:
    """A kill between two names: what is read must be there under its name before another is saved."""
    (folder / "step-00000002").rename(folder / ".step-00000002.old")
    save(two, 3)
    assert names(folder) == ["step-00000002", "step-00000003"]
    found = two.best()
    assert found is not None


def test_what_a_kill_left_is_settled(two: FolderCheckpoints, folder: Path) -> None:
    (folder / "step-00000002").rename(folder / ".step-00000002.old")
    for why in ("partial", "gone"):
        shutil.copytree(folder / "step-00000001", folder / f".step-00000005.{why}")
    two.tidy()
    assert names(folder) == ["step-00000001", "step-00000002"]
    found, damages = two.newest()
    assert found is not None
    assert is_saved(found, 2)
    assert not damages
    two.tidy()
    assert names(folder) == ["step-00000001", "step-00000002"]


def test_where_nothing_was_saved_nothing_is_settled(tmp_path: Path) -> None:
    FolderCheckpoints(tmp_path / "checkpoints").tidy()
    assert not list(tmp_path.iterdir())


def test_of_two_of_one_step_the_whole_one_stays(two: FolderCheckpoints, folder: Path) -> None:
    shutil.copytree(folder / "step-00000002", folder / ".step-00000002.old")
    cut(folder / "step-00000002" / "lora.safetensors")
    found, damages = two.newest()
    assert found is not None
    assert is_saved(found, 2)
    assert len(damages) == 1
    save(two, 3)
    assert names(folder) == ["step-00000002", "step-00000003"]
    assert is_saved(two.newest()[0] or found, 3)


def test_other_folders_are_left_alone(two: FolderCheckpoints, folder: Path) -> None:
    (folder / "mine").mkdir()
    (folder / "step-2").mkdir()
    save(two, 3, LAST)
    assert names(folder) == ["mine", "step-00000003", "step-2"]


def test_more_steps_than_eight_digits_have_room(folder: Path) -> None:
    checkpoints = FolderCheckpoints(folder)
    for step in (99_999_999, 100_000_000):
        save(checkpoints, step)
    found, _ = checkpoints.newest()
    assert found is not None
    assert found.state.step == 100_000_000


def test_what_is_no_plain_data_is_a_bug_of_ours(folder: Path) -> None:
    strange = replace(state(1), optimizer={"x": {1: 2}})
    with pytest.raises(TypeError, match="1 is no key"):
        FolderCheckpoints(folder).save(strange, writes(1), TWO)
    assert names(folder) == []


# Room


class Usage(NamedTuple):
    free: int


def test_room_is_for_all_that_is_kept_and_one_more(
    two: FolderCheckpoints, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 10**9
    taken = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(4 * size - taken))
    two.check_room(size, CheckpointPlan(keep_last=2, keep_best=1))
    with pytest.raises(RetryableError) as caught:
        two.check_room(size, CheckpointPlan(keep_last=3, keep_best=1))
    assert (caught.value.code, caught.value.exit_status) == ("T076", 75)
    assert (caught.value.got, caught.value.expected) == ("4.00 GB free", "5.00 GB for 5 of 1.00 GB")
