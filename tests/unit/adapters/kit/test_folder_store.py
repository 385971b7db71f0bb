from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from cesello.adapters.kit.folder_store import FolderKitStore
from cesello.domain.errors import RetryableError, StorageError
from cesello.domain.kit import KitItem
from cesello.domain.kit_state import DamageKind, State
from tests.fakes.kit import DATA, data_item, model_item


def built(store: FolderKitStore, item: KitItem, content: bytes = b"weights") -> Path:
    """The item installed with two files; gives its folder."""
    with store.exclusive(), store.building(item) as folder:
        (folder / "model.bin").write_bytes(content)
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text("{}")
    return Path(store.inspect(item).location)


@pytest.fixture
def store(tmp_path: Path) -> FolderKitStore:
    return FolderKitStore(tmp_path / "home")


def test_a_store_touches_nothing_until_it_is_used(tmp_path: Path, store: FolderKitStore) -> None:
    assert store.inspect(data_item()).state is State.ABSENT
    assert not (tmp_path / "home").exists()


def test_a_model_gets_the_layout_of_the_hub_cache(tmp_path: Path, store: FolderKitStore) -> None:
    item = model_item()
    folder = built(store, item)
    assert folder == tmp_path / "home" / "hub" / "models--some-org--tiny"
    assert (folder / "refs" / "main").read_text() == item.revision
    assert (folder / "snapshots" / item.revision / "1_Pooling" / "config.json").read_text() == "{}"


def test_data_lies_under_its_package_name(tmp_path: Path, store: FolderKitStore) -> None:
    folder = built(store, data_item())
    assert folder == tmp_path / "home" / "kit" / "words"
    assert (folder / "model.bin").read_bytes() == b"weights"


@pytest.mark.parametrize("thorough", [False, True])
def test_an_item_as_it_was_built_is_in_order(store: FolderKitStore, thorough: bool) -> None:
    built(store, model_item())
    report = store.inspect(model_item(), thorough=thorough)
    assert report.state is State.INSTALLED
    assert report.size == len("weights") + len("{}") + 40


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    """Another content of the same size, written."""
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    os.utime(path)


@pytest.mark.parametrize("harm", [cut, flip])
@pytest.mark.parametrize("thorough", [False, True])
def test_a_corrupted_file_is_named_with_both_sums(
    store: FolderKitStore, harm: Callable[[Path], None], thorough: bool
) -> None:
    folder = built(store, model_item())
    file = folder / "snapshots" / model_item().revision / "model.bin"
    harm(file)
    (damage,) = store.inspect(model_item(), thorough=thorough).damages
    assert damage.kind is DamageKind.CHANGED
    assert damage.file == str(file)
    assert damage.expected == f"sha256 {sha256(b'weights').hexdigest()}"
    assert damage.got == f"sha256 {sha256(file.read_bytes()).hexdigest()}"


def test_bits_lost_without_a_write_are_seen_thoroughly_and_then_quickly(store: FolderKitStore) -> None:
    file = built(store, data_item()) / "model.bin"
    before = file.stat()
    flip(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store.inspect(data_item()).state is State.INSTALLED
    assert store.inspect(data_item(), thorough=True).state is State.DAMAGED
    assert store.inspect(data_item()).state is State.DAMAGED


def test_a_new_time_alone_is_no_damage(store: FolderKitStore) -> None:
    os.utime(built(store, data_item()) / "model.bin", ns=(1, 1))
    assert store.inspect(data_item()).state is State.INSTALLED


def test_a_deleted_file_is_named(store: FolderKitStore) -> None:
    file = built(store, model_item()) / "refs" / "main"
    file.unlink()
    (damage,) = store.inspect(model_item()).damages
    assert (damage.kind, damage.file) == (DamageKind.MISSING, str(file))


def test_a_deleted_manifest_is_named(store: FolderKitStore) -> None:
    file = built(store, data_item()) / "MANIFEST.json"
    file.unlink()
    (damage,) = store.inspect(data_item()).damages
    assert (damage.kind, damage.file) == (DamageKind.MISSING, str(file))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{}"])
def test_a_broken_manifest_is_named(store: FolderKitStore, content: bytes) -> None:
    file = built(store, data_item()) / "MANIFEST.json"
    file.write_bytes(content)
    (damage,) = store.inspect(data_item()).damages
    assert (damage.kind, damage.file) == (DamageKind.UNREADABLE, str(file))


def test_an_item_of_another_version_is_outdated(store: FolderKitStore) -> None:
    item = data_item()
    newer = replace(item, members=("*.json",))
    built(store, item)
    (damage,) = store.inspect(newer).damages
    assert (damage.kind, damage.got, damage.expected) == (DamageKind.OUTDATED, item.revision, newer.revision)


def test_building_again_replaces_everything(tmp_path: Path, store: FolderKitStore) -> None:
    folder = built(store, data_item())
    (folder / "stray").write_text("old")
    built(store, data_item(), b"new")
    assert (folder / "model.bin").read_bytes() == b"new"
    assert not (folder / "stray").exists()
    assert {path.name for path in (tmp_path / "home" / "kit").iterdir()} == {"words", ".downloads", ".lock"}


def fail_halfway(folder: Path, trouble: BaseException) -> None:
    (folder / "model.bin").write_bytes(b"half")
    raise trouble


@pytest.mark.parametrize("trouble", [ValueError("x"), KeyboardInterrupt()])
def test_a_failed_building_leaves_the_item_as_it_was(
    tmp_path: Path, store: FolderKitStore, trouble: BaseException
) -> None:
    folder = built(store, data_item())
    with pytest.raises(type(trouble)), store.exclusive(), store.building(data_item()) as half:
        fail_halfway(half, trouble)
    assert (folder / "model.bin").read_bytes() == b"weights"
    assert store.inspect(data_item(), thorough=True).state is State.INSTALLED
    assert not list((tmp_path / "home" / "kit").glob(".building*"))


def test_what_a_killed_installation_left_is_cleared(tmp_path: Path, store: FolderKitStore) -> None:
    kit = tmp_path / "home" / "kit"
    hub = tmp_path / "home" / "hub"
    wheel = store.wheel(data_item().pin)
    unfinished = wheel.with_name(f"{wheel.name}.pip")
    for left in (kit / ".building-words", kit / ".replaced-words", hub / ".building-tiny", unfinished):
        left.mkdir(parents=True)
        (left / "half").write_text("half")
    wheel.write_bytes(DATA)
    with store.exclusive():
        left_over = {path.name for parent in (kit, hub, wheel.parent) for path in parent.iterdir()}
    assert left_over == {".downloads", ".lock", wheel.name}


def test_who_waits_in_vain_is_told_that_another_is_at_work(tmp_path: Path, store: FolderKitStore) -> None:
    hasty = FolderKitStore(tmp_path / "home", patience=0.01)
    with store.exclusive(), pytest.raises(RetryableError, match="T081"), hasty.exclusive():
        pass
    with hasty.exclusive():
        pass


def test_without_room_the_need_is_named(tmp_path: Path, store: FolderKitStore) -> None:
    tmp_path.joinpath("home").mkdir()
    store.check_room(replace(data_item(), disk=1))
    with pytest.raises(RetryableError, match=r"T080.* MB free -> expected 1000000000000 MB for words"):
        store.check_room(replace(data_item(), disk=10**18))


def test_a_home_that_is_a_file_is_named(tmp_path: Path, store: FolderKitStore) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(StorageError, match="I086") as caught, store.exclusive():
        pass
    assert str(tmp_path / "home") in str(caught.value.where)
    assert "CESELLO_HOME" in str(caught.value)


def test_a_wheel_is_compared_with_its_pin(store: FolderKitStore) -> None:
    item = data_item()
    wheel = store.wheel(item.pin)
    absent = store.inspect_wheel(item)
    assert absent is not None
    assert absent.kind is DamageKind.ABSENT
    wheel.parent.mkdir(parents=True)
    wheel.write_bytes(DATA[:-1])
    broken = store.inspect_wheel(item)
    assert broken is not None
    assert (broken.kind, broken.file) == (DamageKind.DOWNLOAD, str(wheel))
    assert broken.expected == f"sha256 {item.pin.sha256}"
    wheel.write_bytes(DATA)
    assert store.inspect_wheel(item) is None
    store.discard_wheel(item.pin)
    store.discard_wheel(item.pin)
    assert not wheel.exists()
