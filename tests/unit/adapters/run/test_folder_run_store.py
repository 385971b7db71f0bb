"""Runs on a real disk: private, whole or not at all, and honest about how they ended."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from cesello.adapters.run.folder_checkpoints import FolderCheckpoints
from cesello.adapters.run.folder_run_store import FolderRunStore
from cesello.adapters.run.open_run import OpenRun
from cesello.domain.errors import DataError, Interrupted, RetryableError, StorageError
from cesello.domain.run import RunManifest, RunStatus, Sample
from tests.fakes.model import FACTS, FakePolicy
from tests.repository import ROOT
from tests.unit.adapters.run.saved_checkpoints import save as save_checkpoint


def manifest(run: OpenRun, status: RunStatus = RunStatus.RUNNING) -> RunManifest:
    return RunManifest(
        id=run.id,
        name="demo",
        algorithm="sft",
        status=status,
        started="2026-01-02T03:04:05+00:00",
        recipe_sha256="abc",
        seed=0,
        versions={},
        machine="perché",
        model=FACTS,
    )


@pytest.fixture
def store(tmp_path: Path) -> FolderRunStore:
    return FolderRunStore(tmp_path / "deep" / "runs")


@pytest.fixture
def run(store: FolderRunStore) -> OpenRun:
    return store.create("demo", "algorithm: sft\n")


def files(run: OpenRun) -> set[str]:
    return {path.relative_to(run.path).as_posix() for path in run.path.rglob("*") if path.name != ".lock"}


def save(folder: Path) -> None:
    FakePolicy(FACTS).save(folder)


def test_a_run_is_a_folder_of_plain_files(run: OpenRun) -> None:
    run.write_manifest(manifest(run))
    run.append("metrics", {"step": 1, "loss": 2.5})
    run.append("metrics", {"step": 2, "loss": 2.0})
    run.write_samples("before", [Sample("chat", "perché?", "così", "ecco", {"a": 1.0})])
    run.save_weights(save, "# A card\n")
    assert files(run) == {
        "manifest.json",
        "recipe.yaml",
        "metrics.jsonl",
        "samples-before.jsonl",
        "lora",
        "lora/README.md",
        "lora/adapter_config.json",
        "lora/adapter_model.safetensors",
        "lora/tokenizer.json",
    }
    assert (run.path / "recipe.yaml").read_text() == "algorithm: sft\n"
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]
    sample = json.loads((run.path / "samples-before.jsonl").read_text(encoding="utf-8"))
    assert (sample["prompt"], sample["parts"]) == ("perché?", {"a": 1.0})
    assert (run.path / "lora" / "README.md").read_text() == "# A card\n"
    assert json.loads((run.path / "manifest.json").read_text())["model"]["name"] == "fake"


def test_what_is_written_is_private(run: OpenRun) -> None:
    old = os.umask(0)
    try:
        run.write_manifest(manifest(run))
        run.append("metrics", {"step": 1})
        run.write_samples("after", [])
        run.save_weights(save, "card")
    finally:
        os.umask(old)
    for path in (run.path / name for name in files(run)):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o700


def test_the_weights_are_told_by_their_sums(run: OpenRun) -> None:
    sums = run.save_weights(save, "card")
    assert sums == {
        path.name: sha256(path.read_bytes()).hexdigest() for path in (run.path / "lora").iterdir()
    }
    assert "README.md" in sums


def test_saving_again_replaces_the_weights(run: OpenRun) -> None:
    run.save_weights(save, "old")
    run.save_weights(lambda folder: FakePolicy(FACTS, trained=7).save(folder), "new")
    assert (run.path / "lora" / "adapter_model.safetensors").read_bytes() == b"0/7"


# What goes wrong


class SafetensorsLikeError(Exception):
    """What safetensors raises of a full disk is no OSError."""


FULL = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EDQUOT, "Disk quota exceeded"),
    OSError(errno.EFBIG, "File too large"),
    SafetensorsLikeError("Error while serializing: I/O error: No space left on device (os error 28)"),
]


@pytest.mark.parametrize("failure", FULL, ids=str)
def test_a_full_disk_leaves_no_weights_and_can_be_tried_again(run: OpenRun, failure: Exception) -> None:
    def fail(folder: Path) -> None:
        (folder / "adapter_model.safetensors").write_bytes(b"half")
        raise failure

    with pytest.raises(RetryableError) as caught:
        run.save_weights(fail, "card")
    assert (caught.value.code, caught.value.exit_status, caught.value.where) == ("T075", 75, str(run.path))
    assert caught.value.__cause__ is failure
    assert files(run) == {"recipe.yaml"}
    assert run.save_weights(save, "card")


def test_a_full_disk_leaves_the_weights_of_before(run: OpenRun) -> None:
    before = run.save_weights(save, "card")

    def fail(folder: Path) -> None:
        raise FULL[0]

    with pytest.raises(RetryableError):
        run.save_weights(fail, "card")
    assert {path.name for path in (run.path / "lora").iterdir()} == set(before)


def test_another_failure_of_the_disk_is_told(run: OpenRun) -> None:
    def fail(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with pytest.raises(StorageError) as caught:
        run.save_weights(fail, "card")
    assert (caught.value.code, caught.value.exit_status, caught.value.where) == ("I003", 74, str(run.path))
    assert files(run) == {"recipe.yaml"}


@pytest.mark.parametrize("failure", [Interrupted(2, "stopped"), ValueError("a bug"), KeyboardInterrupt()])
def test_what_is_no_failure_of_the_disk_passes_as_it_is(run: OpenRun, failure: BaseException) -> None:
    def fail(folder: Path) -> None:
        raise failure

    with pytest.raises(type(failure)) as caught:
        run.save_weights(fail, "card")
    assert caught.value is failure
    assert files(run) == {"recipe.yaml"}


def test_a_manifest_that_cannot_be_written_leaves_the_old_one(
    run: OpenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.write_manifest(manifest(run))

    def fail(descriptor: int) -> None:
        raise FULL[0]

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RetryableError):
        run.write_manifest(manifest(run, RunStatus.COMPLETED))
    assert json.loads((run.path / "manifest.json").read_text())["status"] == "running"
    assert files(run) == {"manifest.json", "recipe.yaml"}


def test_a_file_where_the_runs_belong_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("mine")
    with pytest.raises(StorageError) as caught:
        FolderRunStore(tmp_path / "runs").create("demo", "")
    assert (caught.value.code, caught.value.where) == ("I003", str(tmp_path / "runs"))


# Two at once


def test_two_runs_in_one_second_have_folders_of_their_own(store: FolderRunStore) -> None:
    ids = [store.create("demo", "").id for _ in range(3)]
    assert len(set(ids)) == 3
    assert all("-demo" in id_ for id_ in ids)


def test_a_run_is_written_by_one_process(run: OpenRun) -> None:
    with pytest.raises(RetryableError) as caught:
        OpenRun(run.path)
    assert (caught.value.code, caught.value.where) == ("T074", str(run.path))
    run.close()
    OpenRun(run.path).close()


# How a run ended


def test_a_locked_run_is_running_and_an_unlocked_one_was_killed(store: FolderRunStore, run: OpenRun) -> None:
    run.write_manifest(manifest(run))
    assert [one.status for one in store.list()] == [RunStatus.RUNNING]
    run.close()
    assert [one.status for one in store.list()] == [RunStatus.FAILED]
    assert store.find("latest").manifest["status"] == "running"


@pytest.mark.parametrize("status", [RunStatus.COMPLETED, RunStatus.INTERRUPTED, RunStatus.FAILED])
def test_a_run_that_ended_is_as_it_says(store: FolderRunStore, run: OpenRun, status: RunStatus) -> None:
    run.write_manifest(manifest(run, status))
    assert [one.status for one in store.list()] == [status]
    run.close()
    assert [one.status for one in store.list()] == [status]


KILLED = """
import os, signal, sys
from pathlib import Path
from cesello.adapters.run.folder_run_store import FolderRunStore
from tests.unit.adapters.run.test_folder_run_store import manifest
run = FolderRunStore(Path(sys.argv[1])).create("demo", "")
run.write_manifest(manifest(run))
print(run.id, flush=True)
sys.stdin.read()
"""


def test_a_process_that_is_killed_leaves_a_failed_run(tmp_path: Path) -> None:
    store = FolderRunStore(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        id_ = process.stdout.readline().strip()
        assert store.find(id_).status is RunStatus.RUNNING
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert store.find(id_).status is RunStatus.FAILED


# Finding


def test_the_newest_run_is_first(store: FolderRunStore) -> None:
    for id_ in ("20250101-000000-a", "20260101-000000-b", "20251231-235959-a"):
        path = store.create("x", "").path
        run = OpenRun(path.rename(path.parent / id_))
        run.write_manifest(replace(manifest(run, RunStatus.COMPLETED), name=id_[-1]))
    assert [one.id[:8] for one in store.list()] == ["20260101", "20251231", "20250101"]
    assert store.find("latest").name == "b"
    assert store.find("a").id == "20251231-235959-a"
    assert store.find("20250101-000000-a").name == "a"
    assert store.find(store.find("b").path).name == "b"


def test_the_newest_began_last_whatever_it_is_called(store: FolderRunStore) -> None:
    for id_, day in (("zeta", 2), ("alpha", 3), ("middle", 1), ("beta", 3)):
        run = store.create("demo", "", run=id_)
        run.write_manifest(replace(manifest(run), started=f"2026-01-0{day}T00:00:00+00:00"))
    assert [one.id for one in store.list()] == ["beta", "alpha", "zeta", "middle"]


def test_a_run_is_opened_again_with_its_checkpoints_under_their_names(store: FolderRunStore) -> None:
    run = store.create("demo", "", run="mine")
    run.write_manifest(manifest(run))
    for step in (1, 2):
        save_checkpoint(run.checkpoints, step)
    run.close()
    folder = run.path / "checkpoints"
    (folder / "step-00000002").rename(folder / ".step-00000002.old")
    (folder / ".step-00000003.partial").mkdir()
    again = store.reopen("mine")
    assert sorted(path.name for path in folder.iterdir()) == ["step-00000001", "step-00000002"]
    save_checkpoint(again.checkpoints, 3)
    assert sorted(path.name for path in folder.iterdir()) == ["step-00000002", "step-00000003"]
    assert store.find("mine").steps == 3


def test_a_run_that_cannot_be_tidied_is_not_left_locked(
    store: FolderRunStore, run: OpenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(checkpoints: FolderCheckpoints) -> None:
        raise FULL[0]

    run.write_manifest(manifest(run))
    run.close()
    with monkeypatch.context() as patch:
        patch.setattr(FolderCheckpoints, "tidy", fail)
        with pytest.raises(OSError, match="No space"):
            store.reopen(run.id)
    store.reopen(run.id).close()


def test_a_manifest_is_json_that_every_program_reads(store: FolderRunStore, run: OpenRun) -> None:
    run.write_manifest(replace(manifest(run), final_loss=float("nan"), seconds=float("inf")))
    values = json.loads((run.path / "manifest.json").read_text(), parse_constant=pytest.fail)
    assert (values["final_loss"], values["seconds"]) == (None, None)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"id": 1}', '{"id": "a", "name": "a", "status": "flying", "started": ""}'],
)
def test_a_folder_without_a_readable_manifest_is_no_run(
    store: FolderRunStore, run: OpenRun, text: str
) -> None:
    (run.path / "manifest.json").write_text(text)
    assert store.list() == ()


def test_nothing_is_found_in_no_folder(tmp_path: Path) -> None:
    store = FolderRunStore(tmp_path / "runs")
    assert store.list() == ()
    with pytest.raises(DataError) as caught:
        store.find("latest")
    assert (caught.value.code, caught.value.expected) == ("D030", "one of: none yet")
    assert not (tmp_path / "runs").exists()


def test_an_unknown_run_is_told_with_those_there_are(store: FolderRunStore, run: OpenRun) -> None:
    run.write_manifest(manifest(run))
    with pytest.raises(DataError) as caught:
        store.find("other")
    assert caught.value.expected == f"one of: {run.id}"


@pytest.mark.parametrize(("key", "value"), [("started", {}), ("started", None), ("name", ["x"]), ("id", 7)])
def test_a_strangers_manifest_is_passed_over(
    key: str, value: object, store: FolderRunStore, run: OpenRun
) -> None:
    run.write_manifest(manifest(run))
    strange = store.create("strange", "")
    strange.write_manifest(manifest(strange))
    file = strange.path / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    assert [one.id for one in store.list()] == [run.id]
    assert store.find("demo").id == run.id
