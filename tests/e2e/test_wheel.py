"""What a user installs: the wheel holds all of src and nothing else, and helps with click alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.repository import ROOT, SRC, committed_files


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, and the wheel built from it, made from the committed files alone."""
    copy = tmp_path_factory.mktemp("copy")
    for path in committed_files():
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    build = [sys.executable, "-m", "build", "--no-isolation", f"--outdir={copy / 'dist'}", str(copy)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return copy / "dist"


def in_wheel(dist: Path) -> set[str]:
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        return set(wheel.namelist())


def test_the_wheel_holds_every_file_of_src_and_nothing_else(dist: Path) -> None:
    code = {name for name in in_wheel(dist) if ".dist-info/" not in name}
    sources = [path for path in committed_files() if path.is_relative_to(SRC)]
    assert code == {f"cesello/{path.relative_to(SRC).as_posix()}" for path in sources}
    assert {"cesello/py.typed", "cesello/entrypoints/recipes/quickstart.yaml"} <= code
    assert "cesello/entrypoints/reward_cases/coding.cases.yaml" in code


def test_the_license_is_in_both(dist: Path) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in in_wheel(dist))
    with tarfile.open(next(dist.glob("*.tar.gz"))) as sdist:
        assert any(name.endswith("/LICENSE") for name in sdist.getnames())


def test_the_wheel_asks_for_what_pyproject_says(dist: Path) -> None:
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = wheel.read(name).decode()
    assert "Requires-Dist: lightning!=2.6.2,!=2.6.3,<3,>=2.6" in metadata
    assert "License-Expression: Apache-2.0" in metadata


def test_help_needs_nothing_but_click(dist: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    [packages] = environment.glob("lib/python*/site-packages")
    install(next(dist.glob("*.whl")), environment / "bin" / "python")
    for folder in files_of("click"):
        shutil.copytree(folder, packages / folder.name)
    done = subprocess.run(
        [environment / "bin" / "cesello", "--help"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: cesello")


def install(wheel: Path, python: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-index", str(wheel)], check=True)


def files_of(name: str) -> list[Path]:
    """The folders of an installed distribution: its package and its metadata."""
    installed = distribution(name)
    tops = {file.parts[0] for file in installed.files or []} - {".."}
    return [Path(str(installed.locate_file(top))) for top in sorted(tops)]
