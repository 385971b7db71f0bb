"""A log that grows, read on; whatever it holds."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path

import pytest

from cesello.adapters.run.log_tail import LogTail


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def test_half_a_line_waits_for_its_other_half(log: Path) -> None:
    tail = LogTail(log)
    log.write_bytes(b'{"step": 1}\n{"ste')
    assert list(tail.lines()) == [{"step": 1}]
    assert not tail.was_cut()
    with log.open("ab") as file:
        file.write(b'p": 2}\n')
    assert list(tail.lines()) == [{"step": 2}]


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[1]", b"7", b"null", b"\xff\xfe", b"\x00" * 50, b'{"a": ' * 50_000, b"[" * 50_000],
    ids=range(9),
)
def test_what_is_no_object_is_left_out(line: bytes, log: Path) -> None:
    log.write_bytes(b'{"step": 1}\n' + line + b'\n{"step": 2}\n')
    assert list(LogTail(log).lines()) == [{"step": 1}, {"step": 2}]


def test_a_line_that_is_too_long_is_left_out_and_not_kept(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cesello.adapters.run.log_tail._LONGEST", 1000)
    monkeypatch.setattr("cesello.adapters.run.log_tail._BLOCK", 300)
    log.write_bytes(b'{"step": 1}\n{"text": "' + b"x" * 5000 + b'"}\n{"step": 2}\n')
    tail = LogTail(log)
    assert list(tail.lines()) == [{"step": 1}, {"step": 2}]
    assert not tail.was_cut()


def test_a_pipe_of_that_name_is_no_log(log: Path) -> None:
    os.mkfifo(log)
    assert list(LogTail(log).lines()) == []


def test_another_file_in_its_place_is_seen(log: Path) -> None:
    tail = LogTail(log)
    log.write_text('{"step": 1}\n')
    list(tail.lines())
    log.unlink()
    assert tail.was_cut()
    log.write_text('{"step": 5, "loss": 1.0}\n')
    assert tail.was_cut()
    tail.rewind()
    assert [line["step"] for line in tail.lines()] == [5]


def test_a_long_log_takes_little_memory(log: Path) -> None:
    line = json.dumps({"step": 1, "padding": "x" * 200}) + "\n"
    log.write_text(line * 40_000)
    tracemalloc.start()
    try:
        count = sum(1 for _ in LogTail(log).lines())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 40_000
    # The file is 9 MB; what is held is a block and its lines, whatever the file's length, about 1.2 MB.
    assert peak < log.stat().st_size / 3
