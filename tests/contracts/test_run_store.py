"""What every RunStore owes, on the fake and on the folder."""

from __future__ import annotations

import errno
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from cesello.adapters.run.folder_run_store import FolderRunStore
from cesello.domain.errors import DataError, RetryableError, StorageError
from cesello.domain.ports.run import RunFolder, RunStore
from cesello.domain.run import RunManifest, RunStatus, Sample
from tests.fakes.model import FACTS, FakePolicy
from tests.fakes.run import FakeRunStore, FixedClock


@pytest.fixture(params=["fake", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RunStore:
    return FakeRunStore() if request.param == "fake" else FolderRunStore(tmp_path / "runs")


def begin(store: RunStore, name: str = "demo") -> tuple[RunFolder, RunManifest]:
    run = store.create(name, "algorithm: sft\n")
    manifest = RunManifest(
        id=run.id,
        name=name,
        algorithm="sft",
        status=RunStatus.RUNNING,
        started=FixedClock().now(),
        recipe_sha256="abc",
        seed=0,
        versions={"torch": "0"},
        machine="a machine",
        planned_steps=9,
        model=FACTS,
    )
    run.write_manifest(manifest)
    return run, manifest


def save(folder: Path) -> None:
    FakePolicy(FACTS).save(folder)


def test_an_empty_store_has_no_runs(store: RunStore) -> None:
    assert store.list() == ()
    with pytest.raises(DataError, match="D030"):
        store.find("latest")


def test_a_run_is_listed_once_it_has_a_manifest(store: RunStore) -> None:
    store.create("early", "")
    assert store.list() == ()
    begin(store)
    assert [run.name for run in store.list()] == ["demo"]


def test_a_summary_tells_what_the_last_manifest_says(store: RunStore) -> None:
    run, manifest = begin(store)
    run.write_manifest(replace(manifest, steps=3, status=RunStatus.COMPLETED))
    run.close()
    [summary] = store.list()
    assert (summary.id, summary.name, summary.status) == (run.id, "demo", RunStatus.COMPLETED)
    assert (summary.model, summary.steps, summary.planned_steps) == ("fake", 3, 9)
    assert (summary.started, summary.path) == (FixedClock().now(), str(run.path))
    assert summary.manifest["versions"] == {"torch": "0"}
    assert summary.manifest["model"]["architecture"] == "llama"


def test_runs_have_ids_of_their_own_and_the_newest_is_first(store: RunStore) -> None:
    runs = [begin(store)[0] for _ in range(3)]
    assert [run.id for run in store.list()] == [run.id for run in reversed(runs)]
    assert store.find("latest").id == store.find("demo").id == runs[-1].id


def test_a_run_is_found_by_id_name_and_path(store: RunStore) -> None:
    first, _ = begin(store, "first")
    begin(store, "second")
    for name in (first.id, "first", str(first.path)):
        assert store.find(name).id == first.id
    with pytest.raises(DataError) as caught:
        store.find("third")
    assert (caught.value.code, caught.value.exit_status) == ("D030", 3)


def test_a_run_that_is_written_is_running_and_one_that_was_left_failed(store: RunStore) -> None:
    run, _ = begin(store)
    assert store.find(run.id).status is RunStatus.RUNNING
    run.close()
    assert store.find(run.id).status is RunStatus.FAILED


def test_metrics_and_samples_are_taken(store: RunStore) -> None:
    run, _ = begin(store)
    run.append_metrics({"step": 1, "loss": 2.0})
    run.append_metrics({"step": 2, "loss": 1.0})
    run.write_samples("before", [Sample("chat", "a", "b", "c")])
    run.write_samples("after", [])
    run.close()
    assert store.find(run.id).id == run.id


def test_weights_are_told_by_their_sums_with_the_card_beside_them(store: RunStore) -> None:
    run, _ = begin(store)
    sums = run.save_weights(save, "# A card\n")
    assert sums["adapter_model.safetensors"] == sha256(b"0/0").hexdigest()
    assert sums["README.md"] == sha256(b"# A card\n").hexdigest()
    assert set(sums) == {"README.md", "adapter_config.json", "adapter_model.safetensors", "tokenizer.json"}


@pytest.mark.parametrize(
    ("number", "error", "code"),
    [(errno.ENOSPC, RetryableError, "T075"), (errno.EACCES, StorageError, "I003")],
)
def test_weights_that_cannot_be_written_can_be_saved_later(
    store: RunStore, number: int, error: type[RetryableError] | type[StorageError], code: str
) -> None:
    def fail(folder: Path) -> None:
        (folder / "adapter_model.safetensors").write_bytes(b"half")
        raise OSError(number, "no")

    run, _ = begin(store)
    with pytest.raises(error) as caught:
        run.save_weights(fail, "card")
    assert (caught.value.code, caught.value.where) == (code, str(run.path))
    assert caught.value.fix
    assert "adapter_config.json" in run.save_weights(save, "card")
