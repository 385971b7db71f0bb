"""A training whose answers are programs, run in the real sandbox; and rewards for other programs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from cesello.entrypoints import api
from tests.e2e.command import cesello_here, environment
from tests.tiny_model import make_tiny_model

RECIPE = """
model: {name: ./tiny}
data:
  sources:
    - {name: programs, kind: file, path: programs.jsonl, holdout: 4, task: coding,
       columns: {completion: canonical_solution},
       reference: {tests: test, entry_point: entry_point, prefix: prompt}}
training: {max_steps: 2, batch_size: 2}
rewards:
  - {kind: coding, wall_seconds: 5.0}
  - {kind: length, weight: 0.5}
  - {kind: combined, weight: 0.0}
  - {kind: function, name: own, function: "judging:judge", weight: -1.0}
evaluation:
  samples: 1
  max_new_tokens: 4
  generate: [{source: programs, reward: coding}]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A tiny model and rows with HumanEval's columns."""
    make_tiny_model(tmp_path / "tiny")
    rows = [
        {
            "task_id": f"own/{number}",
            "prompt": f'def add_{number}(x):\n    """x plus {number}"""\n',
            "canonical_solution": f"    return x + {number}\n",
            "entry_point": f"add_{number}",
            "test": f"def check(candidate):\n    assert candidate(1) == {number + 1}\n",
        }
        for number in range(12)
    ]
    (tmp_path / "programs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "judging.py").write_text(
        "def judge(prompt, completion, tests):\n    return len(tests) / 1000\n"
    )
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path


@pytest.mark.parametrize("reward", ["coding", "combined", "blend", "own"])
def test_answers_of_a_real_run_are_judged_by_their_tests(project: Path, reward: str) -> None:
    change = f"evaluation.generate.programs.reward={reward}"
    done = cesello_here("train", "recipe.yaml", "--json", "--set", change, cwd=project)
    assert done.returncode == 0, done.stderr
    manifest = json.loads(done.stdout)
    for when in ("before", "after"):
        graded = manifest[when]["graded"]["programs"]
        assert (graded["reward"], graded["rows"]) == (reward, 4)
        assert (graded["not_applicable"], graded["infra_errors"]) == (0, 0)
        assert -1 <= graded["score"] <= 1
    kept = cesello_here(
        "train", Path(project, "runs", manifest["id"], "recipe.yaml"), "--dry-run", cwd=project
    )
    assert kept.returncode == 0, kept.stderr


def test_the_program_in_the_documentation_of_the_api_runs(tmp_path: Path) -> None:
    text = str(api.__doc__)
    program = dedent(text[text.index("    from cesello import") :])
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "1.0 passed\n"), done.stderr
