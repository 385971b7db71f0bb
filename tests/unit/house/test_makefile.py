"""``make test`` is what CI runs, and it leaves nothing out."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.repository import ROOT

CI = ROOT / ".ci" / "run"
GATES = ["ruff format --check", "ruff check", "mypy", "pyright", "lint-imports", "tests/unit"]


def recipe(target: str) -> str:
    """What make would run for a target."""
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("target", ["check", "test", "test-all"])
@pytest.mark.parametrize("gate", GATES)
def test_every_gate_is_run(target: str, gate: str) -> None:
    assert gate in recipe(target)


@pytest.mark.parametrize("target", ["test", "test-all"])
def test_every_folder_of_tests_is_run(target: str) -> None:
    folders = {path.relative_to(ROOT).parts[1] for path in (ROOT / "tests").glob("*/**/test_*.py")}
    run = recipe(target)
    assert [folder for folder in folders if f"tests/{folder}" not in run] == []


def test_a_quickstart_prepares_the_kit_and_trains() -> None:
    run = recipe("quickstart")
    assert run.index("cesello kit install") < run.index("cesello train recipes/quickstart.yaml")


def test_ci_runs_the_tests_as_a_person_does() -> None:
    assert os.access(CI, os.X_OK)
    assert CI.read_text().rstrip().endswith("make test < /dev/null")


def test_make_alone_lists_the_targets() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"venv", "quickstart", "check", "test", "bench", "lock", "sbom", "clean"} <= set(listed.split())
