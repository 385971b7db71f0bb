"""Asking for help costs nothing: no framework is loaded, and the answer is there at once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cesello.entrypoints.cli.main import COMMANDS

HEAVY = {
    "bitsandbytes",
    "chromadb",
    "datasets",
    "dependency_injector",
    "huggingface_hub",
    "lightning",
    "numpy",
    "peft",
    "pydantic",
    "rich",
    "safetensors",
    "sentence_transformers",
    "torch",
    "transformers",
    "tree_sitter",
    "yaml",
}
COMMAND = Path(sys.executable).with_name("cesello")
LIMIT = 0.5

IMPORT = "import json, sys, cesello"
HELP = """
import json, sys
from cesello.entrypoints.cli.main import run
assert run(ARGUMENTS) == 0
"""
TELL = "\nprint(json.dumps(sorted(sys.modules)))"


def loaded_by(program: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", program + TELL], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_importing_the_package_loads_no_library() -> None:
    modules = loaded_by(IMPORT)
    assert "cesello" in modules
    assert not modules & (HEAVY | {"click"})


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_help_loads_no_framework(arguments: list[str]) -> None:
    modules = loaded_by(HELP.replace("ARGUMENTS", repr(arguments)))
    assert "click" in modules
    assert not modules & HEAVY


def test_help_takes_less_than_half_a_second() -> None:
    # The best of five: the machine may be shared, and its other work is not what is measured.
    assert min(seconds_of_help() for _ in range(5)) < LIMIT


def seconds_of_help() -> float:
    start = time.perf_counter()
    subprocess.run([COMMAND, "--help"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start
