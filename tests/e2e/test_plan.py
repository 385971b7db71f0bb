"""``cesello plan`` on the recipes that are shipped: what a person knows before anything is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.command import cesello_here
from tests.repository import ROOT

MISTRAL = ROOT / "recipes" / "mistral-7b-qlora.yaml"


def test_the_plan_of_mistral_says_what_attention_and_all_layers_have(tmp_path: Path) -> None:
    done = cesello_here("plan", MISTRAL, "--device-memory", "12GiB", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "7,248,023,552 parameters" in done.stdout
    assert "trained    13,631,488 weights, 0.19%" in done.stdout
    assert "attention 13,631,488, mlp 28,311,552, all-linear 41,943,040" in done.stdout
    assert "4.127 bits a weight" in done.stdout
    assert "11.41 GiB are free on a GPU with 12.00 GiB" in done.stdout
    assert not list(tmp_path.iterdir())


def test_the_quickstart_fits_a_laptop(tmp_path: Path, kit_home: Path) -> None:
    done = cesello_here("plan", ROOT / "recipes" / "quickstart.yaml", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["memory"]["footprint"]["trainable"] == 1_843_200
    assert plan["sums"]["peak"] < 2 * 2**30
    assert plan["memory"]["fits"]


@pytest.mark.slow
def test_where_it_does_not_fit_what_helps_does_fit(tmp_path: Path) -> None:
    keep = ("--set", "training.gradient_checkpointing=false", "--device-memory", "8GiB")
    done = cesello_here("plan", MISTRAL, *keep, cwd=tmp_path)
    assert done.returncode == 4, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("  --set ")]
    assert lines
    options = [option for line in lines for option in line.strip().split("   ")[0].split()]
    helped = cesello_here("plan", MISTRAL, *keep, *options, "--json", cwd=tmp_path)
    assert helped.returncode == 0, helped.stderr
    assert json.loads(helped.stdout)["memory"]["fits"]
