"""What is imported is asked for: a package that comes only because another asks for it may stop coming."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.repository import SRC, committed_files, name_of, pyproject

PROJECT = pyproject()["project"]
DISTRIBUTIONS = packages_distributions()
OURS = {"benchmarks", "cesello", "tests", "tools"}
PARTS = {"pydantic_core": "pydantic", "tokenizers": "transformers", "cyclonedx": "cyclonedx-bom"}
"""Packages that are pinned by the one they are a part of."""
APART = {"liger_kernel": "liger-kernel", "mlflow": "mlflow-skinny", "trackio": "trackio", "wandb": "wandb"}
"""Packages that `make venv` does not install, and what brings them."""


def asked_for(*lists: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for texts in lists for text in texts}


def imported(path: Path) -> set[str]:
    """The top-level packages of others that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module or "")
    return {name.split(".")[0] for name in names} - sys.stdlib_module_names - OURS


def unasked(paths: Iterable[Path], asked: set[str]) -> list[str]:
    return [
        f"{name_of(path)}: {name}" for path in paths for name in imported(path) if not given(name) & asked
    ]


def given(name: str) -> set[str]:
    """The distributions that bring a package."""
    elsewhere = PARTS | APART
    found = [elsewhere[name]] if name in elsewhere else DISTRIBUTIONS.get(name, [])
    return {canonicalize_name(each) for each in found}


def test_src_imports_what_a_user_gets() -> None:
    paths = [path for path in committed_files() if path.suffix == ".py" and path.is_relative_to(SRC)]
    extras = [texts for name, texts in PROJECT["optional-dependencies"].items() if name != "dev"]
    assert not unasked(paths, asked_for(PROJECT["dependencies"], *extras))


def test_tests_and_tools_import_what_a_developer_gets() -> None:
    paths = [path for path in committed_files() if path.suffix == ".py"]
    assert not unasked(paths, asked_for(PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()))


def test_what_is_not_asked_for_is_seen() -> None:
    assert unasked([Path(__file__)], {"numpy"}) == [f"{name_of(Path(__file__))}: packaging"]
