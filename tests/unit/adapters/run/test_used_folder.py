"""A run of a name of one's own: never two at once, never in a stranger's folder, never half of one."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from shutil import copytree, rmtree

import pytest

from cesello.adapters.run.folder_run_store import FolderRunStore
from cesello.adapters.run.open_run import OpenRun
from cesello.domain.errors import CeselloError, DataError, RetryableError, StorageError, UsageError
from tests.unit.adapters.run.broken_disk import DEATH, Disk, deaths, dies, in_a_child, in_place, refuses
from tests.unit.adapters.run.saved_checkpoints import TWO, state, writes
from tests.unit.adapters.run.test_folder_run_store import manifest, save

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def store(runs: Path) -> FolderRunStore:
    return FolderRunStore(runs)


def trained(store: FolderRunStore) -> Path:
    """A run called mine, with all that a run can have."""
    run = store.create("demo", "old\n", run="mine")
    run.write_manifest(manifest(run))
    run.append("metrics", {"step": 1})
    run.write_samples("before", [])
    run.write_batch(1, [{"text": "\ud800"}])
    run.checkpoints.save(state(1), writes(1), TWO)
    run.save_weights(save, "card")
    run.close()
    return run.path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_overwriting_leaves_nothing_of_the_old_run(store: FolderRunStore) -> None:
    path = trained(store)
    run = store.create("demo", "new\n", run="mine", overwrite=True)
    assert run.path == path
    assert names(path) == {".lock", "recipe.yaml"}
    assert (path / "recipe.yaml").read_text() == "new\n"
    assert run.checkpoints.newest() == (None, [])


def test_a_batch_that_went_wrong_is_kept_whatever_is_in_it(store: FolderRunStore) -> None:
    path = trained(store) / "bad-batches" / "step-00000001.jsonl"
    assert path.read_text() == '{"text": "\\ud800"}\n'
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


STRANGE = {
    "a project": ["manifest.json", "package.json"],
    "a recipe alone with a file": ["recipe.yaml", "notes.md"],
    "a file": ["notes.md"],
    "a repository": [".git"],
}


@pytest.mark.parametrize("what", STRANGE)
def test_a_folder_that_is_no_run_is_never_touched(store: FolderRunStore, runs: Path, what: str) -> None:
    (runs / "mine").mkdir(parents=True)
    for name in STRANGE[what]:
        (runs / "mine" / name).write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(UsageError) as caught:
            store.create("demo", "", run="mine", overwrite=overwrite)
        assert (caught.value.code, caught.value.got) == ("C060", "files that are no run's")
    with pytest.raises(DataError, match="D030"):
        store.reopen("mine")
    assert names(runs / "mine") == {*STRANGE[what]}


def test_a_file_of_that_name_is_no_run(store: FolderRunStore, runs: Path) -> None:
    runs.mkdir()
    (runs / "mine").write_text("x")
    with pytest.raises(UsageError, match="C060"):
        store.create("demo", "", run="mine", overwrite=True)
    assert (runs / "mine").read_text() == "x"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_run_that_is_written_is_not_touched(store: FolderRunStore, overwrite: bool) -> None:
    path = trained(store)
    before = names(path)
    open_run = OpenRun(path)
    with pytest.raises(RetryableError, match="T074"):
        store.create("demo", "", run="mine", overwrite=overwrite)
    with pytest.raises(RetryableError, match="T074"):
        store.reopen("mine")
    assert names(path) == before
    open_run.close()


def test_a_refusal_gives_the_lock_back(store: FolderRunStore) -> None:
    trained(store)
    with pytest.raises(UsageError, match="C060"):
        store.create("demo", "", run="mine")
    store.reopen("mine").close()


@pytest.mark.parametrize("run", [None, "mine"])
def test_a_run_that_cannot_be_begun_leaves_no_folder(
    store: FolderRunStore, runs: Path, run: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(RetryableError, match="T075"):
            store.create("demo", "", run=run)
    assert names(runs) == set()
    store.create("demo", "", run=run).close()


# Killed, or refused, amid an overwriting


def overwrite(runs: Path) -> None:
    FolderRunStore(runs).create("demo", "new\n", run="mine", overwrite=True)


def calls_of_an_overwriting(runs: Path, model: Path) -> list[str]:
    trained(FolderRunStore(model))
    copytree(model, runs)
    with in_place(Disk()) as disk:
        overwrite(runs)
    return disk.calls


def assert_no_half_run(runs: Path) -> None:
    """All of the old one, or nothing that is listed or gone on with; and it can be overwritten."""
    store = FolderRunStore(runs)
    if store.list():
        assert names(runs / "mine") >= {"checkpoints", "lora", "metrics.jsonl", "samples-before.jsonl"}
    elif (runs / "mine").exists() and names(runs / "mine") != {".lock", "recipe.yaml"}:
        with pytest.raises(DataError, match="D030"):
            store.reopen("mine")
    store.create("demo", "new\n", run="mine", overwrite=True).close()
    assert names(runs / "mine") == {".lock", "recipe.yaml"}


def test_overwriting_can_be_killed_at_any_call(runs: Path, tmp_path: Path) -> None:
    def work(at: int) -> None:
        with in_place(Disk(at, dies)):
            overwrite(runs)

    for at in deaths(calls_of_an_overwriting(runs, tmp_path / "model")):
        rmtree(runs)
        copytree(tmp_path / "model", runs)
        assert in_a_child(partial(work, at)) == DEATH
        assert_no_half_run(runs)


def test_overwriting_can_be_refused_at_any_call(runs: Path, tmp_path: Path) -> None:
    refused = 0
    for at in range(1, len(calls_of_an_overwriting(runs, tmp_path / "model")) + 1):
        rmtree(runs)
        copytree(tmp_path / "model", runs)
        try:
            with in_place(Disk(at, refuses(5))):
                overwrite(runs)
        except CeselloError as error:
            assert isinstance(error, StorageError | UsageError), error  # noqa: PT017
            refused += 1
        assert_no_half_run(runs)
    assert refused > 20


# Opening again


def test_a_run_is_opened_again_before_its_first_manifest(store: FolderRunStore) -> None:
    run = store.create("demo", "", run="mine")
    run.close()
    for name in ("mine", str(run.path)):
        again = store.reopen(name)
        assert again.path == run.path
        again.close()


def test_a_manifest_that_cannot_be_read_is_in_nobodys_way(store: FolderRunStore) -> None:
    (trained(store) / "manifest.json").write_text("{")
    run = store.reopen("mine")
    found, _ = run.checkpoints.newest()
    assert found is not None
    run.close()


def test_a_folder_of_the_working_directory_is_no_run(
    store: FolderRunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "recipe.yaml").write_text("")
    (tmp_path / "mine" / "other").write_text("")
    monkeypatch.chdir(tmp_path)
    path = trained(store)
    assert store.reopen("mine").path == path
