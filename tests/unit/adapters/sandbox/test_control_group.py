from __future__ import annotations

import os
from pathlib import Path

import pytest

from cesello.adapters.sandbox import control_group
from cesello.adapters.sandbox.control_group import ControlGroup, _kills, _parents, _sweep


def test_a_group_that_cannot_be_made_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_group, "_ROOT", tmp_path)
    group = ControlGroup(0, os.getpid())
    assert not group.is_there
    assert group.kills() == 0
    group.close()


def test_version_2_is_used_where_it_hands_the_controllers_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    (tmp_path / "cgroup.subtree_control").write_text("memory pids")
    monkeypatch.setattr(control_group, "_ROOT", tmp_path)
    monkeypatch.setattr(control_group, "_lines", lambda: ["0::/user.slice/session"])
    for folder in (tmp_path / "user.slice", tmp_path / "user.slice/session"):
        folder.mkdir()
        (folder / "cgroup.subtree_control").write_text("")
    assert list(_parents()) == [tmp_path]


def test_version_1_is_used_for_each_controller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("memory", "pids", "cpu"):
        (tmp_path / name / "own").mkdir(parents=True)
    monkeypatch.setattr(control_group, "_ROOT", tmp_path)
    monkeypatch.setattr(
        control_group, "_lines", lambda: ["4:memory:/own", "3:cpu:/own", "2:pids:/own", "1:name=x:/"]
    )
    assert list(_parents()) == [tmp_path / "memory/own", tmp_path / "pids/own"]


@pytest.mark.parametrize("file", ["memory.events", "memory.oom_control"])
def test_kills_are_counted(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text("low 0\noom 4\noom_kill 3\n")
    assert _kills(tmp_path) == 3


def test_groups_of_processes_that_are_gone_are_taken_away(tmp_path: Path) -> None:
    gone = tmp_path / "cesello-sandbox-999999999-0"
    there = tmp_path / f"cesello-sandbox-{os.getpid()}-0"
    other = tmp_path / "other"
    for folder in (gone, there, other):
        folder.mkdir()
    _sweep(tmp_path)
    assert [folder.exists() for folder in (gone, there, other)] == [False, True, True]
