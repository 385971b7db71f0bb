"""Rows of a real package and of functions with examples: the real store, chunker, sandbox and command."""

from __future__ import annotations

import json
import stat
from collections import Counter
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import skills_ref
from dependency_injector import providers

from cesello.application.remember import RememberRequest
from cesello.entrypoints.cli.main import run
from cesello.entrypoints.memory_requests import memory_container
from cesello.entrypoints.settings.memory_file import load_memory
from tests.fakes.memory import FakeEmbedder
from tests.tiny_model import make_tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

EXAMPLES = '''\
import re


def squeezed(text: str) -> str:
    """Leaves one blank where there were several in a row.

    >>> squeezed("a  b   c")
    'a b c'
    """
    return re.sub(" +", " ", text)


def doubled(numbers: list) -> list:
    """Every one of the numbers two times over, in their order.

    >>> doubled([1, 2])
    [1, 2, 1, 2]
    """
    return [number for number in numbers for _ in range(2)]


def helped(number: int) -> int:
    """What another function of this file makes of the number.

    >>> helped(1)
    2
    """
    return doubled([number])[0]
'''
RECIPE = """
model: {name: ./tiny, dtype: float32}
training: {max_steps: 1}
data:
  max_tokens: 2048
  sources:
    - {name: code, kind: file, path: rows.jsonl, holdout: 3}
    - {name: asked, kind: file, path: rows-heldout.jsonl, weight: 0}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a memory of an installed package and of a file with examples."""
    root = tmp_path_factory.mktemp("rows")
    (root / "examples.py").write_text(EXAMPLES)
    (root / "cesello.yaml").write_text("memory: {store: numpy}\n")
    make_tiny_model(root / "tiny")
    (root / "recipe.yaml").write_text(RECIPE)
    container = memory_container(load_memory(root / "cesello.yaml", ()))
    container.embedder.override(providers.Object(FakeEmbedder()))
    package = Path(skills_ref.__file__).parent
    container.remember()(RememberRequest((str(package), str(root / "examples.py"))))
    return root


def made(project: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.chdir(project)
    return run(["data", "make", "--from", "memory", "--output", "rows.jsonl", *options])


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_rows_of_a_package(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--holdout", "0.1", "--holdout-by", "question", "--overwrite", "--json")
    assert made(project, monkeypatch, *asked) == 0
    said = json.loads(capsys.readouterr().out)
    rows, held = lines(project / "rows.jsonl"), lines(project / "rows-heldout.jsonl")
    assert Counter(row["kind"] for row in rows) == said["rows"]
    assert said["held_out"] == Counter(row["kind"] for row in held)
    assert set(said["held_out"]) == {"question", "span"}
    assert said["checked"]["passed"] == 1
    assert said["checked"]["failed"] == 1
    assert said["left_out"]["code"]["its examples fail when they are run"] == 1
    assert {row["kind"] for row in rows} == {"question", "span", "docstring", "code", "fill"}
    assert len(rows) > 200
    for name in ("rows.jsonl", "rows-heldout.jsonl"):
        assert stat.S_IMODE((project / name).stat().st_mode) == 0o600

    package = Path(skills_ref.__file__).parent
    for row in (*rows, *held):
        source = project / row["from"]["path"]
        text = source.read_text().split("\n")
        first, last = row["from"]["lines"]
        quoted = "".join(" ".join(text[first - 1 : last]).split()).replace('"', "'")
        answer = row["messages"][1]["content"]
        if row["kind"] == "span":
            assert row["reference"]["answers"] == [dedent("\n".join(text[first - 1 : last]))]
        elif row["kind"] == "question" and row["asks"] == "file":
            assert answer in ("examples.py", f"skills_ref/{source.name}")
            assert source.parent in (project, package) or source.resolve().parent == package
        elif row["kind"] == "question" and row["asks"] not in ("arguments", "purpose", "owner"):
            assert "".join(answer.split()).replace('"', "'") in quoted, row

    before = (project / "rows.jsonl").read_bytes(), (project / "rows-heldout.jsonl").read_bytes()
    assert made(project, monkeypatch, *asked) == 0
    assert before == ((project / "rows.jsonl").read_bytes(), (project / "rows-heldout.jsonl").read_bytes())
    capsys.readouterr()
    assert run(["data", "check", "recipe.yaml"]) == 0  # no further settings, and no near copies
    assert "No problem found." in capsys.readouterr().out


def test_a_table_says_what_was_made(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--kinds", "code,docstring", "--path", "examples.py", "--overwrite", "--no-run")
    assert made(project, monkeypatch, *options) == 0
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines()[:3]] == [
        ["kind", "rows", "held", "out", "left", "out"],
        ["docstring", "3", "0", "0"],
        ["code", "3", "0", "0"],
    ]
    assert "examples run: 0 passed, 0 failed; not run: not asked for (2)" in out
    assert "wrote 6 rows to rows.jsonl" in out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "questions, the most frequent answer of the others of its sort is right for "),
        (("--holdout", "0.2"), "questions held out, the most frequent answer of each sort is right for "),
    ],
)
def test_what_a_guess_is_worth_is_told(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    said: str,
) -> None:
    assert made(project, monkeypatch, "--kinds", "question", "--overwrite", *options) == 0
    assert said in capsys.readouterr().out


def test_paths_are_seen_from_the_working_folder(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project / "tiny")
    command = ["data", "make", "--from", "memory", "--output", "few.jsonl", "--kinds", "docstring", "--path"]
    assert run([*command, "examples.py"]) == 3
    assert "error[D080]" in capsys.readouterr().err
    assert run([*command, "../examples.py"]) == 0
    assert {row["from"]["path"] for row in lines(Path("few.jsonl"))} == {"examples.py"}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), "C192"),
        (("--overwrite", "--kinds", "poems"), "C190"),
        (("--overwrite", "--output", "rows.csv"), "C191"),
        (("--overwrite", "--min-reward", "1"), "C193"),
        (("--overwrite", "latest"), "C193"),
        (("--overwrite", "--path", "nowhere/*"), "D080"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    code: str,
) -> None:
    (project / "rows.jsonl").write_text("mine\n")
    assert made(project, monkeypatch, *options) in (2, 3)
    assert f"error[{code}]" in capsys.readouterr().err
    assert (project / "rows.jsonl").read_text() == "mine\n"
    assert not (project / "rows.csv").exists()


def test_runs_need_a_reward_and_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["data", "make", "--from", "runs", "--output", "rows.jsonl"]
    assert run(command) == 2
    assert "error[C194]" in capsys.readouterr().err
    assert run([*command, "--min-reward", "1"]) == 3
    assert "error[D081]" in capsys.readouterr().err
    assert run([*command, "--min-reward", "1", "--kinds", "code"]) == 2
    assert "error[C193]" in capsys.readouterr().err
    assert not (tmp_path / "rows.jsonl").exists()
