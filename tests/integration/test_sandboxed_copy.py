"""The sandbox calls the cesello that calls it, with the packages that it has, wherever those are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.repository import ROOT

PROGRAM = """
import cesello
from cesello.adapters.sandbox.sandboxed_functions import SandboxedFunctions

functions = SandboxedFunctions(workers=1)
print(cesello.__file__, functions.call("cesello.adapters.reward.math_check:equal", [("1/2", ["0.5"])]))
functions.close()
"""


def test_a_copy_on_the_import_path_is_the_one_that_is_called(tmp_path: Path) -> None:
    copy = tmp_path / "packages" / "cesello"
    shutil.copytree(ROOT / "src", copy, ignore=shutil.ignore_patterns("__pycache__"))
    check = copy / "adapters" / "reward" / "math_check.py"
    check.write_text(check.read_text().replace('EQUAL, DIFFERENT = "equal"', 'EQUAL, DIFFERENT = "the copy"'))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(copy.parent)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == [str(copy / "__init__.py"), "['the", "copy']"], done.stderr


def test_an_environment_may_be_a_link_in_a_folder_of_the_import_path(tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    within = Path(sys.executable).relative_to(sys.prefix)
    done = subprocess.run(
        [tmp_path / ".venv" / within, "-c", PROGRAM],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split()[-1] == "['equal']", done.stdout + done.stderr
