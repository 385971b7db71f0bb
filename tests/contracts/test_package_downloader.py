"""What every PackageDownloader owes, on the fake and on real pip with an index that is a folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cesello.adapters.kit.pip_downloader import PipDownloader
from cesello.domain.errors import RetryableError, StorageError
from cesello.domain.kit import PackagePin
from cesello.domain.ports.kit import PackageDownloader
from tests.fakes.kit import FakeDownloader, pin_of, wheel_bytes

METADATA = b"Metadata-Version: 2.1\nName: some-words\nVersion: 1.0\nRequires-Dist: not-to-be-had\n"
WHEEL = wheel_bytes(
    {
        "some_words/a.json": b"{}",
        "some_words-1.0.dist-info/METADATA": METADATA,
        "some_words-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "some_words-1.0.dist-info/RECORD": b"",
    }
)
PIN = pin_of("some-words", WHEEL)


@pytest.fixture(params=["fake", "pip"])
def downloader(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> PackageDownloader:
    if request.param == "fake":
        return FakeDownloader({PIN.name: WHEEL})
    index = tmp_path / "index"
    index.mkdir()
    (index / PIN.filename).write_bytes(WHEEL)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return PipDownloader()


def test_the_pinned_wheel_comes_whole_and_alone(downloader: PackageDownloader, tmp_path: Path) -> None:
    seen: list[int] = []
    to = tmp_path / "deep" / "wheel.whl"
    downloader.download(PIN, to, seen.append)
    assert to.read_bytes() == WHEEL
    assert list(to.parent.iterdir()) == [to]
    assert seen[-1] == len(WHEEL)
    assert seen == sorted(seen)


def refused(
    pin: PackagePin, downloader: PackageDownloader, folder: Path, error: type[Exception], how: str
) -> None:
    to = folder / "deep" / "wheel.whl"
    with pytest.raises(error, match=how):
        downloader.download(pin, to, lambda done: None)
    assert not to.parent.exists() or not list(to.parent.iterdir())


def test_another_content_is_refused_with_both_sums(downloader: PackageDownloader, tmp_path: Path) -> None:
    wanted = replace(PIN, sha256="ab" * 32)
    how = f"I085.*got sha256 {PIN.sha256} -> expected sha256 {'ab' * 32}"
    refused(wanted, downloader, tmp_path, StorageError, how)


def test_a_package_that_cannot_be_had_may_come_later(downloader: PackageDownloader, tmp_path: Path) -> None:
    refused(replace(PIN, name="not-to-be-had"), downloader, tmp_path, RetryableError, "T082")
