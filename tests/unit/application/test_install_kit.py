from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from cesello.adapters.kit.folder_store import FolderKitStore
from cesello.adapters.kit.wheel_preparer import WheelPreparer
from cesello.application.install_kit import InstallKit
from cesello.application.verify_kit import VerifyKit
from cesello.domain.errors import ModelError, RetryableError, StorageError
from cesello.domain.kit import Preparation
from cesello.domain.kit_state import DamageKind, Installation, Outcome, State
from tests.fakes.kit import (
    DATA,
    MODEL,
    FakeConverter,
    FakeDownloader,
    RecordedProgress,
    data_item,
    model_item,
)


@dataclass
class Bench:
    """A kit of two items whose index and converter are fakes."""

    home: Path
    downloader: FakeDownloader = field(default_factory=lambda: FakeDownloader({"words": DATA, "tiny": MODEL}))
    converter: FakeConverter = field(default_factory=FakeConverter)
    progress: RecordedProgress = field(default_factory=RecordedProgress)

    def install(self, *, disk: int = 0) -> tuple[Installation, ...]:
        store = FolderKitStore(self.home)
        preparer = WheelPreparer({Preparation.GGUF: lambda: self.converter})
        return InstallKit((data_item(), replace(model_item(), disk=disk)), store, self.downloader, preparer)(
            self.progress
        )

    def verify(self) -> list[State]:
        verify = VerifyKit((data_item(), model_item()), FolderKitStore(self.home))
        return [report.state for report in verify(self.progress)]

    @property
    def data(self) -> Path:
        return self.home / "kit" / "words" / "inner" / "b.txt"

    @property
    def wheels(self) -> list[str]:
        return [path.name for path in (self.home / "kit" / ".downloads").iterdir()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def outcomes(done: tuple[Installation, ...]) -> list[Outcome]:
    return [one.outcome for one in done]


def test_the_first_installation_brings_everything(bench: Bench) -> None:
    done = bench.install()
    assert outcomes(done) == [Outcome.INSTALLED, Outcome.INSTALLED]
    assert [one.report.state for one in done] == [State.INSTALLED, State.INSTALLED]
    assert bench.data.read_bytes() == b"beta"
    snapshot = bench.home / "hub" / "models--some-org--tiny" / "snapshots" / model_item().revision
    assert (snapshot / "model.safetensors").read_bytes() == b"sthgiew"
    assert bench.wheels == []


def test_the_second_does_nothing(bench: Bench) -> None:
    bench.install()
    assert outcomes(bench.install()) == [Outcome.KEPT, Outcome.KEPT]
    assert bench.downloader.asked == ["words", "tiny"]
    assert len(bench.converter.calls) == 1


def test_progress_names_the_items_and_counts_the_bytes(bench: Bench) -> None:
    bench.install()
    assert ("words: downloading", len(DATA)) in bench.progress.steps
    assert ("tiny: preparing (gguf to safetensors)", None) in bench.progress.steps
    assert bench.progress.done == [0, len(DATA), 0, len(MODEL)]


def test_a_corrupted_file_is_named_and_repaired(bench: Bench) -> None:
    bench.install()
    bench.data.write_bytes(b"BETA")
    os.utime(bench.data)
    repaired, kept = bench.install()
    assert (repaired.outcome, kept.outcome) == (Outcome.REPAIRED, Outcome.KEPT)
    (found,) = repaired.found
    assert (found.kind, found.file) == (DamageKind.CHANGED, str(bench.data))
    assert found.got != found.expected
    assert bench.data.read_bytes() == b"beta"


def test_deleted_files_are_named_and_brought_back(bench: Bench) -> None:
    bench.install()
    bench.data.unlink()
    (bench.home / "kit" / "words" / "a.json").unlink()
    repaired, _ = bench.install()
    assert {(one.kind, Path(one.file).name) for one in repaired.found} == {
        (DamageKind.MISSING, "b.txt"),
        (DamageKind.MISSING, "a.json"),
    }
    assert bench.verify() == [State.INSTALLED, State.INSTALLED]


def test_a_download_that_an_earlier_run_left_whole_is_used(bench: Bench) -> None:
    bench.converter.troubles.append(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        bench.install()
    assert bench.verify() == [State.INSTALLED, State.ABSENT]
    bench.install()
    assert bench.downloader.asked == ["words", "tiny"]
    assert bench.verify() == [State.INSTALLED, State.INSTALLED]


def test_a_download_that_an_earlier_run_left_broken_is_named_and_brought_again(bench: Bench) -> None:
    left = bench.home / "kit" / ".downloads" / "words-1.0-py3-none-any.whl"
    left.parent.mkdir(parents=True)
    left.write_bytes(DATA[:100])
    repaired, _ = bench.install()
    assert repaired.outcome is Outcome.REPAIRED
    (found,) = (one for one in repaired.found if one.kind is DamageKind.DOWNLOAD)
    assert found.file == str(left)
    assert found.expected == f"sha256 {data_item().pin.sha256}"
    assert bench.verify() == [State.INSTALLED, State.INSTALLED]


def test_a_download_corrupted_on_its_way_is_named_and_the_next_run_repairs_it(bench: Bench) -> None:
    bench.downloader.troubles.append(DATA[:-1] + b"!")
    named = r"I085.*words-1\.0.*got sha256 .* -> expected sha256 .*kit install"
    with pytest.raises(StorageError, match=named):
        bench.install()
    assert bench.wheels == []
    assert outcomes(bench.install()) == [Outcome.INSTALLED, Outcome.INSTALLED]


def test_another_package_under_the_pinned_version_is_refused(bench: Bench) -> None:
    bench.downloader.wheels["words"] = MODEL
    with pytest.raises(StorageError, match="I085"):
        bench.install()
    assert bench.verify() == [State.ABSENT, State.ABSENT]


@pytest.mark.parametrize("trouble", [KeyboardInterrupt(), RetryableError("T082", "no network")])
def test_stopped_in_a_download_the_next_run_goes_on(bench: Bench, trouble: BaseException) -> None:
    bench.downloader.troubles.append(trouble)
    with pytest.raises(type(trouble)):
        bench.install()
    assert outcomes(bench.install()) == [Outcome.INSTALLED, Outcome.INSTALLED]


def test_a_failed_conversion_keeps_what_was_done_before(bench: Bench) -> None:
    bench.converter.troubles.append(ModelError("M080", "a GGUF file cannot be converted"))
    with pytest.raises(ModelError):
        bench.install()
    assert bench.verify() == [State.INSTALLED, State.ABSENT]
    assert outcomes(bench.install()) == [Outcome.KEPT, Outcome.INSTALLED]


def test_without_room_nothing_is_downloaded_and_the_rest_is_kept(bench: Bench) -> None:
    with pytest.raises(RetryableError, match="T080"):
        bench.install(disk=10**18)
    assert bench.downloader.asked == ["words"]
    assert bench.verify() == [State.INSTALLED, State.ABSENT]


def test_a_wheel_of_two_items_is_downloaded_once(bench: Bench) -> None:
    first, second = (replace(data_item(), id=name, repository=f"org/{name}") for name in ("one", "two"))
    install = InstallKit((first, second), FolderKitStore(bench.home), bench.downloader, WheelPreparer({}))
    assert outcomes(install(bench.progress)) == [Outcome.INSTALLED, Outcome.INSTALLED]
    assert (bench.downloader.asked, bench.wheels) == (["words"], [])
    shutil.rmtree(bench.home / second.location)
    assert outcomes(install(bench.progress)) == [Outcome.KEPT, Outcome.INSTALLED]
    assert bench.wheels == []
