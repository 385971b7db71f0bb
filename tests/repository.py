"""The repository's files as git would commit them, for the tests of the house and of the documents."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src"


def committed_files() -> list[Path]:
    """Every file that is committed or would be, links left out."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def source_files(*folders: str) -> list[Path]:
    """The Python files of src, or of these folders of it."""
    return sorted(path for folder in folders or (".",) for path in (SRC / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    """A path as a person names it, and as a test is called."""
    return path.relative_to(ROOT).as_posix()


def pyproject() -> dict[str, Any]:
    """pyproject.toml, read."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())
