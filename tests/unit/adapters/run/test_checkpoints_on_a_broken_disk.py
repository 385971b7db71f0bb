"""Whatever the disk refuses, whenever the process dies: a whole checkpoint is there, no broken one passes."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from shutil import copytree, rmtree

import pytest

from cesello.adapters.run.checkpoint_form import read
from cesello.adapters.run.folder_checkpoints import FolderCheckpoints
from cesello.domain.errors import CeselloError, StorageError
from tests.unit.adapters.run import broken_disk
from tests.unit.adapters.run.broken_disk import (
    DEATH,
    Disk,
    deaths,
    dies,
    in_a_child,
    in_place,
    inodes,
    loses_power,
)
from tests.unit.adapters.run.saved_checkpoints import LAST, TWO, is_saved, save, state, tensors

# A child of fork only asks the system for what its disk counts; no other thread's lock is in its way.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

STEP = 3
"""The step that is saved while the disk is broken."""


def saves(folder: Path, step: int = STEP) -> None:
    """Version 1 of that step; its tensors are written through the disk as well."""

    def write(place: Path) -> None:
        for name, content in tensors(step, 1).items():
            descriptor = os.open(place / name, os.O_WRONLY | os.O_CREAT, 0o666)
            os.write(descriptor, content)
            os.close(descriptor)

    FolderCheckpoints(folder).save(state(step, version=1), write, LAST)


def a_new_one(folder: Path) -> int:
    """Before it are two, which the plan does not keep."""
    for step in (1, 2):
        save(FolderCheckpoints(folder), step, TWO)
    return 2


def one_of_the_same_step(folder: Path) -> int:
    save(FolderCheckpoints(folder), STEP, TWO)
    return STEP


def one_after_a_killed_replacement(folder: Path) -> int:
    """The one of before is set aside; besides, there is the litter of others."""
    save(FolderCheckpoints(folder), STEP, TWO)
    (folder / "step-00000003").rename(folder / ".step-00000003.old")
    for name in (".step-00000003.partial", ".step-00000009.partial", ".step-00000001.gone"):
        (folder / name).mkdir()
        (folder / name / "lora.safetensors").write_bytes(b"half")
    return STEP


Begin = Callable[[Path], int]
BEGINNINGS: list[Begin] = [a_new_one, one_of_the_same_step, one_after_a_killed_replacement]


Begun = tuple[Path, int, Callable[[], object]]


@pytest.fixture
def begun(tmp_path: Path, begin: Begin) -> Begun:
    """A folder with checkpoints, the step of the newest, and what makes the folder so again."""
    model = tmp_path / "model" / "checkpoints"
    model.parent.mkdir()
    with in_place(Disk()):
        before = begin(model)
    folder = tmp_path / "run" / "checkpoints"

    def again() -> None:
        rmtree(folder.parent, ignore_errors=True)
        copytree(model.parent, folder.parent)

    again()
    return folder, before, again


def calls_of_a_save(folder: Path) -> list[str]:
    with in_place(Disk()) as disk:
        saves(folder)
    return disk.calls


def assert_sound(folder: Path, before: int, *, is_new: bool) -> None:
    """What is there is one of the two, whole; nothing under a checkpoint's name is anything else."""
    found, damages = FolderCheckpoints(folder).newest()
    assert found is not None
    assert not damages
    assert is_saved(found, STEP, 1) or (not is_new and is_saved(found, before))
    for path in folder.glob("step-*"):
        read(path, int(path.name[5:]))


def assert_goes_on(folder: Path) -> None:
    """The next save works, and leaves nothing but what its plan keeps."""
    with in_place(Disk()):
        saves(folder, STEP + 1)
    assert [path.name for path in folder.iterdir()] == ["step-00000004"]


@pytest.mark.parametrize("begin", BEGINNINGS, ids=lambda begin: begin.__name__)
@pytest.mark.parametrize(
    ("number", "code", "lasting"),
    [
        (errno.ENOSPC, "T075", False),
        (errno.EIO, "I003", False),
        (errno.EACCES, "I003", False),
        (errno.EIO, "I003", True),
    ],
    ids=["ENOSPC", "EIO", "EACCES", "EIO from then on"],
)
def test_any_call_can_be_refused(begun: Begun, number: int, code: str, lasting: bool) -> None:
    folder, before, again = begun
    calls = calls_of_a_save(folder)
    raised = 0
    for at in range(1, len(calls) + 1):
        again()
        error: CeselloError | None = None
        try:
            with in_place(Disk(at, broken_disk.refuses(number), lasting=lasting)):
                saves(folder)
        except CeselloError as cause:
            error, raised = cause, raised + 1
        assert error is None or error.code == code, (at, calls[at - 1])
        assert_sound(folder, before, is_new=error is None)
        assert_goes_on(folder)
    assert raised >= 20


@pytest.mark.parametrize("begin", BEGINNINGS, ids=lambda begin: begin.__name__)
@pytest.mark.parametrize("loses", [False, True], ids=["killed", "power cut"])
def test_the_process_can_die_at_any_call(begun: Begun, loses: bool) -> None:
    folder, before, again = begun

    def work(at: int) -> None:
        with in_place(Disk(at, loses_power(folder, inodes(folder)) if loses else dies)):
            saves(folder)

    for at in deaths(calls_of_a_save(folder)):
        again()
        assert in_a_child(partial(work, at)) == DEATH
        assert_sound(folder, before, is_new=False)
        assert_goes_on(folder)


@pytest.mark.parametrize("begin", [one_of_the_same_step], ids=["same step"])
def test_all_kinds_of_calls_are_reached(begun: Begun) -> None:
    calls = calls_of_a_save(begun[0])
    assert len(calls) > 60
    assert {*calls} >= {"chmod", "close", "fsync", "mkdir", "open", "rename", "rmdir", "unlink", "write"}


@pytest.mark.parametrize("begin", [one_of_the_same_step], ids=["same step"])
def test_what_was_set_aside_has_its_name_again_when_nothing_takes_its_place(begun: Begun) -> None:
    folder, before, again = begun
    calls = calls_of_a_save(folder)
    again()
    second = calls.index("rename", calls.index("rename") + 1) + 1
    with in_place(Disk(second, broken_disk.refuses(errno.EIO))), pytest.raises(StorageError, match="I003"):
        saves(folder)
    assert [path.name for path in folder.iterdir()] == [f"step-{before:08d}"]


def test_all_is_on_the_disk_before_it_has_its_name_and_the_name_is_there_when_a_save_is_done(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "checkpoints"
    unsynced: list[str] = []

    def look(disk: Disk) -> None:
        place = folder / ".step-00000003.partial"
        unsynced.extend(path.name for path in (place, *place.iterdir()) if inode(path) not in disk.synced)
        disk.synced.clear()

    with in_place(Disk()) as counted:
        saves(folder)
    rmtree(folder)
    disk = Disk(counted.calls.index("rename") + 1, look)
    with in_place(disk):
        saves(folder)
    assert unsynced == []
    assert inode(folder) in disk.synced


def inode(path: Path) -> int:
    return path.stat().st_ino


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_what_cannot_be_read_is_told_and_never_taken_for_nothing(tmp_path: Path, number: int) -> None:
    folder = tmp_path / "checkpoints"
    for step in (1, 2):
        save(FolderCheckpoints(folder), step)
    with in_place(Disk()) as counted:
        FolderCheckpoints(folder).newest()
    told = []
    for at in range(1, len(counted.calls) + 1):
        with in_place(Disk(at, broken_disk.refuses(number))):
            try:
                found, damages = FolderCheckpoints(folder).newest()
            except StorageError as error:
                told.append((error.code, error.where))
                continue
        assert found is not None
        assert is_saved(found, found.state.step)
        assert found.state.step == 2 or "step-00000002" in damages[0]
    assert {*told} == {("I042", str(folder))}


def test_kills_at_random_instants(tmp_path: Path) -> None:
    """What a save returned from outlasts the kill, and so does what was there before one that did not."""
    folder = tmp_path / "run" / "checkpoints"
    folder.parent.mkdir()
    random = Random(0)
    began = time.monotonic()
    save(FolderCheckpoints(folder), 1)
    took = time.monotonic() - began
    newest, amid = 1, 0
    while amid < 15 or newest < 5:
        done = max(newest, killed_while_saving(folder, newest, took * random.uniform(0.5, 4)))
        found, damages = FolderCheckpoints(folder).newest()
        assert found is not None
        assert not damages
        assert found.state.step in (done, done + 1)
        assert is_saved(found, found.state.step)
        newest = found.state.step
        amid += any(path.name.startswith(".") for path in folder.iterdir())


def killed_while_saving(folder: Path, newest: int, seconds: float) -> int:
    """Saves that step again and those after it until it is killed; the last whose save returned, or 0."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            for step in count(newest):
                save(FolderCheckpoints(folder), step)
                os.write(writing, step.to_bytes(4, "big"))
        os._exit(1)
    os.close(writing)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as told:
        return int.from_bytes(told.read()[-4:], "big")
