"""The tutorial: its commands in order, with few steps and questions; and, slow, whole, with its claims."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.tutorial import PAGE, commands, measured
from tests.e2e.command import environment
from tests.repository import ROOT

SHORTER = {
    "cesello kit install": None,  # it is there
    "cesello remember": "cesello remember gepa/strategies gepa/proposer",
    "cesello train": (
        "cesello train recipes/my-repository.yaml --set training.max_steps=2 --set training.warmup_steps=0 "
        "--set evaluation.rows=1 --set evaluation.samples=1 --set evaluation.max_new_tokens=2"
    ),
    "cesello ablate latest --base --source untaught": (
        "cesello ablate latest --base --source untaught --rows 2 --max-new-tokens 2"
    ),
    "cesello ablate": "cesello ablate latest --base --rows 2 --max-new-tokens 2",
    "cesello generate": 'cesello generate --run latest --max-new-tokens 4 "Which file defines `X`?"',
}
"""What is run in the place of a command that begins so; the first that fits."""


def shorter(command: str) -> str | None:
    return next((SHORTER[begin] for begin in SHORTER if command.startswith(begin)), command)


WALK = """
import json, shlex, subprocess, sys
from pathlib import Path
from tests.e2e.command import cesello_here

said = {}
for shown, command in json.load(sys.stdin).items():
    words = shlex.split(command)
    if words[0] == "cesello":
        ended = cesello_here(*words[1:], cwd=Path.cwd())
    else:
        ended = subprocess.run(["bash", "-euc", command], capture_output=True, text=True)
    if ended.returncode:
        sys.exit(f"{command}: {ended.stderr}")
    said[shown] = ended.stdout
Path("said.json").write_text(json.dumps(said))
"""
"""All commands in one process, whose libraries are loaded once."""


@dataclass(frozen=True)
class Walked:
    """A folder in which the tutorial was done, and what its commands printed."""

    folder: Path
    said: Mapping[str, str]

    def rows(self, name: str) -> list[Any]:
        return [json.loads(line) for line in (self.folder / f"{name}.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def walked(kit_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Walked:
    folder = tmp_path_factory.mktemp("tutorial")
    shutil.copytree(ROOT / "recipes", folder / "recipes")
    shown = commands(PAGE.read_text(encoding="utf-8"))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [sys.executable, "-c", WALK],
        input=json.dumps({command: run for command in shown if (run := shorter(command))}),
        cwd=folder,
        env={**environment(), "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return Walked(folder, json.loads((folder / "said.json").read_text()))


def test_every_command_works_in_order(walked: Walked) -> None:
    assert "gepa/proposer/merge.py" in walked.said['cesello ask "how are two candidates merged?"']
    [run] = [path for path in (walked.folder / "runs").iterdir() if path.is_dir()]
    manifest = json.loads((run / "manifest.json").read_text())
    assert (manifest["status"], manifest["steps"]) == ("completed", 2)
    assert {"base", "run"} <= set(walked.said["cesello ablate latest --base"].split())
    assert (walked.folder / "report.html").stat().st_size > 10_000
    assert "as they were" in walked.said["cesello verify latest"]


def test_no_question_of_the_exam_is_trained_on_and_every_fact_of_it_is(walked: Walked) -> None:
    trained, exam, untaught = (walked.rows(name) for name in ("rows", "rows-heldout", "untaught"))
    assert len(exam) > 20
    asked = [{row["messages"][0]["content"] for row in rows} for rows in (trained, exam)]
    assert not asked[0] & asked[1]
    facts = [
        {(row["from"]["path"], row["messages"][1]["content"]) for row in rows} for rows in (trained, exam)
    ]
    assert facts[1] <= facts[0]
    paths = [{row["from"]["path"] for row in rows} for rows in (trained, untaught)]
    assert not paths[0] & paths[1]


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_the_whole_tutorial(tmp_path: Path) -> None:
    """A trained model knows more of what it was taught than before, and memory helps where it was not."""
    result = measured(tmp_path)
    found = [step["ablation"] for step in result["tutorial"] if "ablation" in step]
    taught, untaught = ({arm: its["right"] for arm, its in one["arms"].items()} for one in found)
    assert taught["base, bare"] < 0.1 < 0.4 < taught["run, bare"]
    assert untaught["run, memory"] >= untaught["run, bare"]
