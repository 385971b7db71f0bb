"""What every reader of a run's files does, the fake and the one of folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

import pytest

from cesello.adapters.run.folder_run_files import FolderRunFiles
from cesello.domain.checkpoint import LogMark
from cesello.domain.ports.verification import RunFiles
from tests.fakes.verification import FakeRunFiles

Make = Callable[[Mapping[str, bytes]], RunFiles]


def folder(files: Mapping[str, bytes], run: Path) -> RunFiles:
    for name, content in files.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_bytes(content)
    return FolderRunFiles()


def memory(files: Mapping[str, bytes], run: Path) -> RunFiles:
    return FakeRunFiles({run / name: content for name, content in files.items()})


@pytest.fixture(params=[folder, memory], ids=["folder", "fake"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    def made(files: Mapping[str, bytes]) -> RunFiles:
        found: RunFiles = request.param(files, tmp_path)
        return found

    return made


def test_every_file_below_a_folder_has_a_digest(make: Make, tmp_path: Path) -> None:
    files = make({"lora/a": b"1", "lora/b/c": b"2", "other": b"3"})
    assert files.digests(tmp_path / "lora") == {
        "a": sha256(b"1").hexdigest(),
        "b/c": sha256(b"2").hexdigest(),
    }
    assert files.digests(tmp_path / "nothing") == {}


def test_a_file_is_read_or_is_not_there(make: Make, tmp_path: Path) -> None:
    files = make({"recipe.yaml": b"name: x\n"})
    assert files.content(tmp_path / "recipe.yaml") == b"name: x\n"
    assert files.content(tmp_path / "other.yaml") is None


def test_a_log_is_lines_of_objects(make: Make, tmp_path: Path) -> None:
    files = make(
        {"metrics.jsonl": b'{"step": 1}\n{"step": 2}\n', "text.jsonl": b"a\n", "list.jsonl": b"[1]\n"}
    )
    assert files.lines(tmp_path, "metrics") == [{"step": 1}, {"step": 2}]
    assert [files.lines(tmp_path, name) for name in ("text", "list", "none")] == [None, None, None]


def test_a_log_may_grow_behind_its_mark_and_not_change_before_it(make: Make, tmp_path: Path) -> None:
    files = make({"metrics.jsonl": b"one\ntwo\n"})
    mark = LogMark(4, sha256(b"one\n").hexdigest())
    assert not files.log_changes(tmp_path, {"metrics.jsonl": mark})
    other = LogMark(4, sha256(b"eno\n").hexdigest())
    [changed] = files.log_changes(tmp_path, {"metrics.jsonl": other})
    assert changed.startswith("metrics.jsonl: got ")


def test_without_checkpoints_there_are_none(make: Make, tmp_path: Path) -> None:
    assert list(make({"recipe.yaml": b""}).checkpoints(tmp_path)) == []


def test_a_stranger_s_folder_is_read_without_following_or_waiting(tmp_path: Path) -> None:
    """Links, pipes and folders where files should be; a log that is no text."""
    (tmp_path / "lora").mkdir()
    (tmp_path / "lora" / "link").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "lora" / "pipe")
    os.mkfifo(tmp_path / "recipe.yaml")
    (tmp_path / "metrics.jsonl").write_bytes(b"\xff\xfe[[[[")
    (tmp_path / "checkpoints").write_text("no folder")
    os.mkfifo(tmp_path / "timings.jsonl")
    files = FolderRunFiles()
    assert set(files.digests(tmp_path / "lora").values()) == {"no regular file"}
    assert files.content(tmp_path / "recipe.yaml") is None
    assert files.lines(tmp_path, "metrics") is None
    marks = {"timings.jsonl": LogMark(1, "0" * 64)}
    assert files.log_changes(tmp_path, marks) == ["timings.jsonl: no regular file"]


def test_the_seal_of_a_folder_follows_no_link(tmp_path: Path) -> None:
    run = tmp_path / "run"
    marked = {"rows.json": b"[]", "checkpoints/step-00000001/MANIFEST.json": b"{}"}
    otherwise = {"lora/w": b"w", "manifest.json": b"{}", "ledger.sqlite3": b"x", "tensorboard/e": b"e"}
    files = folder({**marked, **otherwise}, run)
    sealed = {
        "checkpoints/step-00000001/MANIFEST.json": sha256(b"{}").hexdigest(),
        "ledger.sqlite3": "",
        "rows.json": sha256(b"[]").hexdigest(),
        "tensorboard/": "",
    }
    assert files.seal(run) == sealed
    (run / "checkpoints").rename(tmp_path / "elsewhere")
    (run / "checkpoints").symlink_to(tmp_path / "elsewhere")
    (run / "rows.json").unlink()
    (run / "rows.json").symlink_to("manifest.json")
    assert files.seal(run)["checkpoints"] == files.seal(run)["rows.json"] == "no regular file"
    assert files.seal(tmp_path / "none") == {}
