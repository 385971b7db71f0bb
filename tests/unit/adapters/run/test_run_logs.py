"""Logs on a real disk: cut back to the byte, and never where they were changed by hand."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from cesello.adapters.run.run_logs import RunLogs, is_log
from cesello.domain.checkpoint import LogMark
from cesello.domain.errors import RetryableError, StorageError
from tests.unit.adapters.run.broken_disk import Disk, in_place, inodes


@pytest.fixture
def logs(tmp_path: Path) -> RunLogs:
    """With three lines of metrics and one of timings."""
    logs = RunLogs(tmp_path)
    for step in (1, 2, 3):
        logs.append("metrics", {"step": step, "loss": 0.1 * step})
    logs.append("timings", {"step": 1, "seconds": 0.5})
    return logs


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_line_is_json_that_every_program_reads(logs: RunLogs, tmp_path: Path) -> None:
    logs.append("evaluations", {"step": 1, "losses": {"chat": {"loss": float("nan")}}, "x": [float("inf")]})
    text = (tmp_path / "evaluations.jsonl").read_text()
    assert text == '{"step": 1, "losses": {"chat": {"loss": null}}, "x": [null]}\n'


def test_a_mark_tells_size_and_sum(logs: RunLogs, tmp_path: Path) -> None:
    marks = logs.mark()
    assert list(marks) == ["metrics.jsonl", "timings.jsonl"]
    assert marks == {
        name: LogMark(len(text), sha256(text).hexdigest()) for name, text in contents(tmp_path).items()
    }


def test_marked_is_on_the_disk(logs: RunLogs, tmp_path: Path) -> None:
    with in_place(Disk()) as disk:
        logs.mark()
    assert disk.synced == inodes(tmp_path) | {tmp_path.stat().st_ino}


def test_logs_are_cut_back_to_the_byte(logs: RunLogs, tmp_path: Path) -> None:
    before, marks = contents(tmp_path), logs.mark()
    logs.append("metrics", {"step": 4})
    logs.append("evaluations", {"step": 4})
    with (tmp_path / "timings.jsonl").open("a") as file:
        file.write('{"step": 2, "sec')  # killed amid a line
    logs.cut(marks)
    assert contents(tmp_path) == before
    logs.append("timings", {"step": 2})
    assert (tmp_path / "timings.jsonl").read_text().splitlines()[1:] == ['{"step": 2}']


def test_what_is_no_log_is_left_alone(logs: RunLogs, tmp_path: Path) -> None:
    others = ["samples-before.jsonl", "samples-step-00000100.jsonl", "manifest.json", ".x.jsonl", "x.json"]
    for name in others:
        (tmp_path / name).write_text("mine\n")
    assert not any(map(is_log, others))
    logs.cut({})
    assert contents(tmp_path) == dict.fromkeys(others, b"mine\n")


def change(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"step": 1', b'"step": 7'))


def shorten(path: Path) -> None:
    os.truncate(path, 10)


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "changed": (change, "sha256 "),
    "shortened": (shorten, "10 bytes"),
    "gone": (Path.unlink, "0 bytes"),
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("name", ["metrics.jsonl", "timings.jsonl"])
def test_a_log_that_was_changed_by_hand_is_refused_and_none_is_cut(
    logs: RunLogs, tmp_path: Path, name: str, what: str
) -> None:
    marks = logs.mark()
    logs.append("metrics", {"step": 4})
    do, got = CHANGES[what]
    do(tmp_path / name)
    before = contents(tmp_path)
    with pytest.raises(StorageError) as caught:
        logs.cut(marks)
    assert (caught.value.code, caught.value.exit_status) == ("I041", 74)
    assert caught.value.where == str(tmp_path / name)
    assert str(caught.value.got).startswith(got)
    assert "--overwrite" in str(caught.value.fix)
    assert contents(tmp_path) == before


def test_a_full_disk_leaves_no_half_line(
    logs: RunLogs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, write = contents(tmp_path), os.write

    def half(descriptor: int, content: memoryview) -> int:
        if len(content) < 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, content[: len(content) // 2])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        with pytest.raises(RetryableError, match="T075"):
            logs.append("metrics", {"step": 4, "loss": 1.0})
    assert contents(tmp_path) == before


def test_a_log_is_called_plainly(logs: RunLogs) -> None:
    for name in ("../x", "samples-x", ".x", ""):
        with pytest.raises(ValueError, match="no name of a log"):
            logs.append(name, {})
