"""Where Python code lies: the standard library, an installed package, a folder. Nothing is imported."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from ...domain.errors import DataError
from .file_walk import files_under, shown

_NOT_TAUGHT = {
    "__pycache__",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "site-packages",
    "test",
    "tests",
    "turtledemo",
}
_NOT_WRITTEN_HERE = {"__pycache__", "node_modules", "site-packages"}


class PythonCode(Protocol):
    """A place with Python files."""

    @property
    def origin(self) -> str:
        """What it is, with its version."""
        ...

    @property
    def is_own(self) -> bool:
        """Whether whoever asks wrote it, and can mend what is broken in it."""
        ...

    def files(self, source: str) -> list[tuple[Path, str]]:
        """Every file and the name that a person knows it by, always in the same order.

        Args:
            source: what errors call the source that asks.

        Raises:
            DataError: D001 when there is nothing.
        """
        ...


@dataclass(frozen=True, slots=True)
class StandardLibrary:
    """The running interpreter's own.

    Attributes:
        modules: names such as ``json`` or ``email.utils``, with what is in them; None for all of it.
    """

    modules: Sequence[str] | None = None

    @property
    def origin(self) -> str:
        return f"standard library of Python {sys.version.split()[0]}"

    @property
    def is_own(self) -> bool:
        return False

    def files(self, source: str) -> list[tuple[Path, str]]:
        root = Path(sysconfig.get_path("stdlib"))
        if self.modules is None:
            found = _taught_files(root)
        else:
            named = (path for module in self.modules for path in _module_files(root, module, source))
            found = list(dict.fromkeys(named))
        return [(path, path.relative_to(root).as_posix()) for path in found]


@dataclass(frozen=True, slots=True)
class InstalledPackage:
    """A package by its name on PyPI or by the name it is imported by, without its tests."""

    name: str

    @property
    def origin(self) -> str:
        try:
            return f"package {self.name} {metadata.version(self.name)}"
        except metadata.PackageNotFoundError:
            return f"package {self.name}"

    @property
    def is_own(self) -> bool:
        return False

    def files(self, source: str) -> list[tuple[Path, str]]:
        found = sorted(set(_distributed(self.name)) or set(_imported(self.name)), key=lambda file: file[1])
        if not found:
            raise _missing(f'no installed package "{self.name}" has Python files', source, "install it")
        return found


@dataclass(frozen=True, slots=True)
class CodeFolder:
    """A folder of somebody's own code: no hidden folders, no virtual environments, no installed packages.

    Attributes:
        root: what no path or link may lead out of.
        folder: relative to root.
    """

    root: Path
    folder: str

    @property
    def origin(self) -> str:
        return f"folder {self.folder}"

    @property
    def is_own(self) -> bool:
        return True

    def files(self, source: str) -> list[tuple[Path, str]]:
        root = self.root.resolve()
        folder = root / self.folder
        try:
            paths = list(files_under(folder, root, _is_python, _is_written_here)) if folder.is_dir() else []
        except OSError as cause:
            raise DataError(
                "D003",
                f'the files of source "{source}" cannot be listed: {cause}',
                where=self.folder,
                fix="check who may read them",
            ) from cause
        if not paths:
            what = f'no Python file is in the folder "{self.folder}"'
            raise _missing(what, source, f"correct its folder; it is looked up in {shown(root, Path.cwd())}")
        return [(path, path.relative_to(root).as_posix()) for path in paths]


def _missing(what: str, source: str, fix: str) -> DataError:
    return DataError("D001", what, where=f'source "{source}"', fix=fix)


def _taught_files(root: Path) -> list[Path]:
    """The Python files of a library, without its tests and what is installed inside it."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = set(folders) - _NOT_TAUGHT
        found += [Path(folder, name) for name in names if name.endswith(".py")]
    return sorted(found)


def _module_files(root: Path, module: str, source: str) -> list[Path]:
    parts = module.split(".")
    path = root.joinpath(*parts) if all(map(str.isidentifier, parts)) else root / "no module"
    found = _taught_files(path) or [file for file in [path.with_suffix(".py")] if file.is_file()]
    if not found:
        what = f'the standard library has no source of a module "{module}"'
        raise _missing(what, source, "correct its modules")
    return found


def _distributed(name: str) -> Iterator[tuple[Path, str]]:
    """What a distribution says that it installed; nothing where it is installed by a link to its folder."""
    try:
        listed = metadata.files(name) or []
    except (metadata.PackageNotFoundError, ValueError):
        return
    for file in listed:
        path = Path(str(file.locate()))
        is_taught = not (_NOT_TAUGHT | {".."}) & set(file.parts)
        if file.suffix == ".py" and is_taught and path.is_file():
            yield path, file.as_posix()


def _imported(name: str) -> Iterator[tuple[Path, str]]:
    """The files of a top-level module or package, as an import would find it."""
    module = name.replace("-", "_")
    try:
        spec = find_spec(module) if module.isidentifier() else None
    except (ImportError, ValueError):
        return
    for place in (spec and spec.submodule_search_locations) or ():
        for path in _taught_files(Path(place)):
            yield path, f"{module}/{path.relative_to(place).as_posix()}"
    if spec and not spec.submodule_search_locations and str(spec.origin).endswith(".py"):
        yield Path(str(spec.origin)), f"{module}.py"


def _is_python(path: Path) -> bool:
    return path.suffix == ".py" and not path.name.startswith(".")


def _is_written_here(folder: Path) -> bool:
    is_environment = (folder / "pyvenv.cfg").exists()
    return not (folder.name.startswith(".") or folder.name in _NOT_WRITTEN_HERE or is_environment)
