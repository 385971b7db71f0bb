"""pyproject.toml and the folders of src say the same."""

from __future__ import annotations

from importlib import import_module

import pytest

from tests.repository import SRC, committed_files, name_of, pyproject, source_files

PACKAGES: list[str] = pyproject()["tool"]["setuptools"]["packages"]
SHAPELESS = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}


def test_the_packages_are_the_folders_with_python_in_them() -> None:
    folders = {path.parent.relative_to(SRC) for path in source_files()}
    assert sorted(".".join(("cesello", *folder.parts)) for folder in folders) == PACKAGES


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_can_be_imported(package: str) -> None:
    assert import_module(package).__file__


def test_no_name_says_nothing() -> None:
    names = {name_of(path): path.stem for path in committed_files() if path.suffix == ".py"}
    assert not [path for path, stem in names.items() if SHAPELESS & set(stem.split("_"))]
