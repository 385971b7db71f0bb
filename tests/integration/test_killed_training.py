"""A training that is killed at random instants ends, to the bit, as one that nobody killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.repository import ROOT


def campaign(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.integration.killed_training", str(folder), str(kills), str(seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_twenty_kills_change_nothing(tmp_path: Path) -> None:
    result = campaign(tmp_path, kills=20, seed=1)
    assert result["different"] == []
    assert sum(result["kills"].values()) >= 20
    assert all(result["kills"].get(kind, 0) > 0 for kind in ("save", "accumulation", "evaluation")), result


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_hundred_kills_change_nothing(tmp_path: Path) -> None:
    result = campaign(tmp_path, kills=100, seed=2)
    assert result["different"] == []
    assert sum(result["kills"].values()) >= 100
    assert result["kills"]["save"] >= 10, result
    assert all(result["kills"].get(kind, 0) > 10 for kind in ("accumulation", "evaluation")), result


def test_a_start_that_fails_is_not_taken_for_one_that_was_killed(tmp_path: Path) -> None:
    """What the test above believes in: a child that ends with a failure ends the campaign, with its words."""
    program = (
        "import os, sys; from tests.integration import killed_training as k; os.chdir(sys.argv[1]);"
        "open('recipe.yaml', 'w').write('nonsense'); k.finish('run')"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "a start of run ended with 2:\nerror[C" in done.stderr
