"""What every RunStore owes, on the fake and on the folder."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from cesello.adapters.run.folder_run_store import FolderRunStore
from cesello.domain.checkpoint import LogMark
from cesello.domain.errors import DataError, RetryableError, StorageError, UsageError
from cesello.domain.ports.run import RunFolder, RunStore
from cesello.domain.run import RunManifest, RunStatus, Sample
from tests.fakes.model import FACTS, FakePolicy
from tests.fakes.run import FakeRunFolder, FakeRunStore, FixedClock


@pytest.fixture(params=["fake", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RunStore:
    return FakeRunStore() if request.param == "fake" else FolderRunStore(tmp_path / "runs")


def begin(store: RunStore, name: str = "demo", run: str | None = None) -> tuple[RunFolder, RunManifest]:
    folder = store.create(name, "algorithm: sft\n", run=run)
    manifest = RunManifest(
        id=folder.id,
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
    folder.write_manifest(manifest)
    return folder, manifest


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


def test_an_id_is_found_before_a_newer_run_of_that_name(store: RunStore) -> None:
    mine, its = begin(store, "demo", run="mine")
    mine.write_manifest(replace(its, id="mine", started="2026-01-01T00:00:00+00:00"))
    other, its = begin(store, "mine", run="other")
    other.write_manifest(replace(its, id="other", name="mine", started="2026-02-01T00:00:00+00:00"))
    assert store.find("mine").id == "mine"
    assert store.find("other").id == "other"


def test_a_run_that_is_written_is_running_and_one_that_was_left_failed(store: RunStore) -> None:
    run, _ = begin(store)
    assert store.find(run.id).status is RunStatus.RUNNING
    run.close()
    assert store.find(run.id).status is RunStatus.FAILED


def test_logs_samples_and_batches_are_taken(store: RunStore) -> None:
    run, _ = begin(store)
    run.append("metrics", {"step": 1, "loss": 2.0})
    run.append("metrics", {"step": 2, "loss": 1.0})
    run.append("timings", {"step": 1, "seconds": 0.5})
    run.write_samples("before", [Sample("chat", "a", "b", "c")])
    run.write_samples("step-00000100", [])
    assert run.write_batch(7, [{"row": 1}]) == run.path / "bad-batches" / "step-00000007.jsonl"
    run.close()
    assert store.find(run.id).id == run.id


def test_a_text_is_read_back(store: RunStore) -> None:
    run, _ = begin(store)
    assert run.read_text("held-out.json") is None
    run.write_text("held-out.json", '["\u00e8"]\n')
    run.close()
    assert store.reopen(run.id).read_text("held-out.json") == '["\u00e8"]\n'


def test_a_file_that_is_no_text_has_none(tmp_path: Path) -> None:
    run, _ = begin(FolderRunStore(tmp_path))
    (run.path / "held-out.json").write_bytes(b"\xff")
    (run.path / "folder").mkdir()
    assert (run.read_text("held-out.json"), run.read_text("folder")) == (None, None)


# Logs, cut back


LINES = b'{"step": 1, "loss": 0.1}\n{"step": 2, "loss": null}\n'


def marked(store: RunStore) -> tuple[RunFolder, Mapping[str, LogMark]]:
    run, _ = begin(store)
    run.append("metrics", {"step": 1, "loss": 0.1})
    run.append("metrics", {"step": 2, "loss": None})
    return run, run.mark_logs()


def test_a_mark_tells_how_long_a_log_is_and_its_sum(store: RunStore) -> None:
    _, marks = marked(store)
    assert marks == {"metrics.jsonl": LogMark(len(LINES), sha256(LINES).hexdigest())}


def test_a_log_is_read_as_it_was_added(store: RunStore) -> None:
    run, _ = begin(store)
    run.append("completions", {"step": 1, "question": "perché?", "reward": None})
    run.append("completions", {"step": 2})
    assert list(run.lines("completions")) == [
        {"step": 1, "question": "perché?", "reward": None}, {"step": 2}
    ]  # fmt: skip
    assert not list(run.lines("nothing"))


def test_logs_are_cut_back_to_their_marks_and_go_on_from_there(store: RunStore) -> None:
    run, marks = marked(store)
    run.append("metrics", {"step": 3})
    run.append("timings", {"step": 3})
    later = run.mark_logs()
    run.cut_logs(marks)
    left = run.mark_logs()
    assert left["metrics.jsonl"] == marks["metrics.jsonl"]
    assert "timings.jsonl" not in left or left["timings.jsonl"].size == 0
    run.append("metrics", {"step": 3})
    run.append("timings", {"step": 3})
    assert run.mark_logs() == later


def test_without_marks_all_logs_become_empty(store: RunStore) -> None:
    run, _ = marked(store)
    run.cut_logs({})
    run.append("metrics", {})
    assert run.mark_logs()["metrics.jsonl"].size == 3


@pytest.mark.parametrize(
    "wrong", [LogMark(1000, "0" * 64), LogMark(len(LINES), "0" * 64), LogMark(3, sha256(LINES).hexdigest())]
)
def test_a_log_that_is_not_as_it_was_is_refused(store: RunStore, wrong: LogMark) -> None:
    run, marks = marked(store)
    with pytest.raises(StorageError) as caught:
        run.cut_logs({"metrics.jsonl": wrong})
    assert (caught.value.code, caught.value.exit_status) == ("I041", 74)
    assert caught.value.where == str(run.path / "metrics.jsonl")
    assert run.mark_logs() == marks


# Names of one's own, and runs that are gone on with


def test_a_run_can_be_called_as_one_likes(store: RunStore) -> None:
    run = store.create("demo", "", run="mine-1.a_B")
    assert (run.id, run.path.name) == ("mine-1.a_B", "mine-1.a_B")


@pytest.mark.parametrize(
    "run", ["", ".", "..", ".x", "-x", "a/b", "../x", "a b", "perché", "a\n", "latest", "/x"]
)
def test_what_is_no_plain_name_is_refused(store: RunStore, run: str) -> None:
    for refused in (lambda: store.create("demo", "", run=run), lambda: store.check_unused(run)):
        with pytest.raises(UsageError) as caught:
            refused()
        assert (caught.value.code, caught.value.exit_status) == ("C061", 2)


def test_a_name_is_used_once(store: RunStore) -> None:
    store.check_unused("mine")
    run, _ = begin(store, run="mine")
    run.append("metrics", {"step": 1})
    run.close()
    for refused in (lambda: store.create("demo", "", run="mine"), lambda: store.check_unused("mine")):
        with pytest.raises(UsageError) as caught:
            refused()
        assert (caught.value.code, caught.value.where) == ("C060", str(run.path))
        assert "--overwrite" in str(caught.value.fix)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_run_that_is_written_is_not_begun_anew(store: RunStore, overwrite: bool) -> None:
    run, _ = begin(store, run="mine")
    with pytest.raises(RetryableError) as caught:
        store.create("demo", "", run="mine", overwrite=overwrite)
    assert (caught.value.code, caught.value.exit_status, caught.value.where) == ("T074", 75, str(run.path))


def test_a_run_is_overwritten_when_that_is_wanted(store: RunStore) -> None:
    run, _ = begin(store, run="mine")
    run.append("metrics", {"step": 1})
    run.close()
    store.check_unused("mine", overwrite=True)
    again = store.create("demo", "", run="mine", overwrite=True)
    assert (again.id, again.path, again.mark_logs()) == ("mine", run.path, {})
    assert store.create("demo", "", run="other", overwrite=True).id == "other"


def test_a_run_is_opened_again_as_it_is_found(store: RunStore) -> None:
    run, marks = marked(store)
    for name in (run.id, "demo", "latest", str(run.path)):
        run.close()
        run = store.reopen(name)
        assert store.find(run.id).status is RunStatus.RUNNING
        assert run.mark_logs() == marks


def test_the_recipe_of_a_run_can_be_replaced(store: RunStore) -> None:
    run, _ = begin(store)
    run.write_recipe("algorithm: sft\nseed: 7\n")
    file = run.path / "recipe.yaml"
    kept = run.recipe if isinstance(run, FakeRunFolder) else file.read_text(encoding="utf-8")
    assert kept == "algorithm: sft\nseed: 7\n"


def test_what_is_not_there_is_not_opened(store: RunStore) -> None:
    begin(store)
    with pytest.raises(DataError, match="D030"):
        store.reopen("other")


def test_a_run_that_is_written_is_not_opened_twice(store: RunStore) -> None:
    run, _ = begin(store)
    with pytest.raises(RetryableError, match="T074"):
        store.reopen(run.id)
    run.close()
    store.reopen(run.id).close()
    store.reopen(run.id).close()


# Weights


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
