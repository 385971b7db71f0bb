"""docs/rewards.md, followed: its rewards are written to files, and its commands say and end as it says."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.e2e.command import cesello
from tests.e2e.markdown import Block, blocks, commands
from tests.repository import ROOT

PAGE = list(blocks(ROOT / "docs" / "rewards.md"))
ENDS = {"cesello reward test naive:reward": 1}
"""The commands that end with another status than 0."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with every file that the page names in the first line of a block."""
    for block in PAGE:
        head = block.lines[0].removeprefix("# ")
        if block.language in ("python", "yaml") and " " not in head and head.endswith((".py", ".yaml")):
            (tmp_path / head).write_text("\n".join(block.lines) + "\n")
    return tmp_path


@pytest.mark.parametrize(
    "block", [block for block in PAGE if block.language == "console"], ids=lambda block: block.lines[0][2:]
)
def test_the_story_ends_as_the_page_says(block: Block, folder: Path) -> None:
    [command] = commands(block)
    name, *arguments = shlex.split(command.text)
    assert name == "cesello"
    done = cesello(*arguments, cwd=folder)
    assert done.returncode == ENDS.get(command.text, 0), done.stdout + done.stderr
    printed = done.stdout.splitlines()
    assert [line for line in block.lines[1:] if line not in printed] == []


def test_the_page_tells_both_halves_of_the_story() -> None:
    shown = [command.text for block in PAGE for command in commands(block)]
    assert list(ENDS) == [text for text in shown if "naive:reward" in text]
    assert "cesello reward test coding --cases naive.cases.yaml" in shown


@pytest.mark.parametrize(
    "name", ["coding", *(pytest.param(one, marks=pytest.mark.slow) for one in ("math", "combined"))]
)
def test_what_runs_programs_is_not_cheated_by_its_own_cases(name: str, tmp_path: Path) -> None:
    done = cesello("reward", "test", name, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
