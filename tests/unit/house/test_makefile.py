"""``make test`` is what CI runs, and it leaves nothing out."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from tests.repository import ROOT

CI = ROOT / ".ci" / "run"
GATES = ["ruff format --check", "ruff check", "mypy", "pyright", "lint-imports", "tests/unit"]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """As a person calls it, also where a make has started this test."""
    of_make = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    own = {name: value for name, value in os.environ.items() if name not in of_make}
    command = ["make", "--dry-run", *arguments]
    return subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=True)


def recipe(target: str) -> str:
    """What make would run for a target."""
    return make(target).stdout


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


@pytest.mark.parametrize(("target", "beside"), [("check", 4), ("test", 5), ("test-all", 7)])
def test_what_runs_side_by_side_says_one_thing_at_a_time(target: str, beside: int) -> None:
    assert f"--output-sync=target -j {beside} " in recipe(target)


def test_a_number_of_jobs_is_handed_on() -> None:
    done = make("-j2", "check")
    assert "warning" not in done.stderr
    assert "--output-sync=target mypy" in " ".join(done.stdout.split())


def test_a_file_that_cannot_be_compiled_ends_an_installation() -> None:
    [line] = [line for line in make("--always-make", "venv").stdout.splitlines() if "compileall" in line]
    pattern = line.split("'")[1]
    assert not line.rstrip().endswith("true")
    assert re.search(pattern, ".venv/lib/python3.11/site-packages/torch/_internal/py312_intrinsics.py")
    assert not re.search(pattern, ".venv/lib/python3.11/site-packages/py/happy.py")
