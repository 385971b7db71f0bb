"""Reinforcement that is killed or stopped at random instants ends, to the bit, as one that nobody killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.repository import ROOT


def campaign(folder: Path, kills: int, seed: int, updates: int, beta: float) -> dict[str, Any]:
    program = [sys.executable, "-m", "tests.integration.killed_grpo"]
    options = map(str, (folder, kills, seed, updates, beta))
    done = subprocess.run([*program, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_ten_kills_and_two_stops_change_nothing(tmp_path: Path) -> None:
    result = campaign(tmp_path, kills=10, seed=1, updates=1, beta=0.0)
    assert result["different"] == []
    assert sum(result["kills"].values()) >= 10
    assert set(result["kills"]) >= {"generation", "update", "save"}, result
    assert result["stops"] == {"generation": 143, "scoring": 143}


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_kills_change_nothing(tmp_path: Path) -> None:
    result = campaign(tmp_path, kills=100, seed=3, updates=2, beta=0.05)
    assert result["different"] == []
    assert sum(result["kills"].values()) >= 100
    assert all(result["kills"].get(kind, 0) > 5 for kind in ("generation", "update", "save")), result
    assert result["kills"].get("scoring", 0) > 0, result  # it takes a thousandth of the time
