"""Who may import what; the contracts of pyproject.toml say the rest."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repository import ROOT, committed_files, name_of, source_files


def imports(path: Path) -> Iterator[str]:
    """The modules a file names, with the dots of a relative import in front."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


@pytest.mark.parametrize("path", source_files("domain", "application"), ids=name_of)
def test_domain_and_application_import_the_standard_library_alone(path: Path) -> None:
    outside = {name for name in imports(path) if not name.startswith(".")}
    assert {name.split(".")[0] for name in outside} <= sys.stdlib_module_names


@pytest.mark.parametrize("path", source_files(), ids=name_of)
def test_source_imports_itself_relatively(path: Path) -> None:
    assert not [name for name in imports(path) if name.split(".")[0] == "cesello"]


def test_nobody_imports_src_as_a_second_copy() -> None:
    python = [path for path in committed_files() if path.suffix == ".py"]
    assert not [name_of(path) for path in python for name in imports(path) if name.split(".")[0] == "src"]


def test_the_import_contracts_are_kept() -> None:
    linter = "from importlinter.cli import lint_imports_command as lint; lint()"
    done = subprocess.run(
        [sys.executable, "-c", linter, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert "5 kept, 0 broken" in done.stdout
