"""What pip says and how it is stopped, with a shell script in pip's place; real pip is in tests/contracts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cesello.adapters.kit.pip_downloader import PipDownloader
from cesello.domain.errors import RetryableError, StorageError
from tests.fakes.kit import DATA, pin_of

PIN = pin_of("words", DATA)


def download(folder: Path, script: str, advance: Callable[[int], None] = lambda done: None) -> None:
    """Download with a script that stands for ``python -m pip``, into the folder ``to``."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    PipDownloader(str(path)).download(PIN, folder / "to" / "words.whl", advance)


def test_pip_is_asked_for_one_hash_and_no_dependencies(tmp_path: Path) -> None:
    said = tmp_path / "said"
    script = f'echo "$@" > {said}; for last; do :; done; cat "$last" >> {said}; exit 1'
    with pytest.raises(RetryableError):
        download(tmp_path, script)
    text = said.read_text()
    assert text.startswith("-P -m pip download ")
    assert {"--no-deps", "--only-binary=:all:", "--require-hashes"} <= set(text.split())
    assert text.splitlines()[-1] == PIN.requirement


def test_growing_files_are_reported_up_to_the_size(tmp_path: Path) -> None:
    script = f'head -c {PIN.size * 2} /dev/zero > "$TMPDIR/part"; sleep 0.5; exit 1'
    seen: list[int] = []
    with pytest.raises(RetryableError):
        download(tmp_path, script, seen.append)
    assert seen[-1] == PIN.size


@pytest.mark.parametrize(
    ("output", "kind", "expected"),
    [
        ("No module named pip", StorageError, r"I087.*python -m ensurepip"),
        (
            f"THESE PACKAGES DO NOT MATCH THE HASHES\\n  Got        {'e' * 64}",
            StorageError,
            r"got sha256 e{64}",
        ),
        ("ERROR: [Errno 28] No space left on device", RetryableError, r"T080"),
        ("ERROR: No matching distribution found for words", RetryableError, r"T082.*got No matching"),
        ("ERROR: \\033[31mred\\nERROR: last", RetryableError, r"T082.*got last"),
        ("", RetryableError, r"T082.*no message"),
    ],
    ids=["no-pip", "hash", "disk", "index", "control", "silent"],
)
def test_what_pip_says_is_explained(
    tmp_path: Path, output: str, kind: type[Exception], expected: str
) -> None:
    with pytest.raises(kind, match=expected):
        download(tmp_path, f"printf '{output}'; exit 1")
    assert list((tmp_path / "to").iterdir()) == []


def test_stopped_in_the_middle_pip_is_stopped_too_and_nothing_stays(tmp_path: Path) -> None:
    started = tmp_path / "started"

    def stop(done: int) -> None:
        if started.exists() and started.read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(tmp_path, f"echo $$ > {started}; exec sleep 30", stop)
    assert list((tmp_path / "to").iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)
