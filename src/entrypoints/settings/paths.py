"""Paths of a recipe stay under its root, and paths inside a package inside it."""

from __future__ import annotations

import glob
from itertools import islice
from os.path import normpath
from pathlib import Path, PurePosixPath
from typing import Any

from ...domain.errors import UsageError
from .document import Document, Keys
from .problems import printable, shown
from .recipe import is_local

_MATCHES_LOOKED_AT = 1000


def resolve_root(document: Document, recipe: Path) -> Path:
    """The folder that paths resolve under, absolute and without symlinks; reports C014 when it is none.

    Two dots go back along the recipe's path as it was written, not out of where a symlink on it leads to.
    """
    written = document.get("root")
    folder = Path(normpath(recipe.parent / (written if isinstance(written, str) else ".")))
    try:
        root = folder.resolve()
        is_folder = root.is_dir()
    except (OSError, ValueError, RuntimeError):
        root, is_folder = recipe.parent.absolute(), False
    if not is_folder:
        problem = UsageError(
            "C014",
            "the root is not a folder",
            where=document.value_place(("root",)),
            got=shown(document.as_written(("root",))),
            fix="name a folder that exists, relative to the recipe's own",
        )
        document.report(("root",), problem)
    return root


def check_paths(document: Document, root: Path) -> None:
    """Reports C011 for every path that leads outside."""
    model = document.get("model", "name")
    if isinstance(model, str) and is_local(model):
        _check_under_root(document, ("model", "name"), root)
    _check_under_root(document, ("lora", "continue_from"), root)
    _check_under_root(document, ("data", "prompt"), root)
    _check_under_root(document, ("apo", "prompt"), root)
    sources = document.get("data", "sources")
    for index, source in enumerate(sources if isinstance(sources, list) else []):
        keys: Keys = ("data", "sources", index)
        kind = source.get("kind") if isinstance(source, dict) else None
        if kind in ("file", "replay"):
            _check_under_root(document, (*keys, "path"), root)
        elif kind == "stdlib":
            _check_under_root(document, (*keys, "folder"), root)
        elif kind == "package":
            files = source.get("files")
            for position in range(len(files) if isinstance(files, list) else 0):
                _check_inside_package(document, (*keys, "files", position))
            _check_inside_package(document, (*keys, "join", "folder"))


def _check_under_root(document: Document, keys: Keys, root: Path) -> None:
    written = document.get(*keys)
    if isinstance(written, str) and not document.is_wrong(("root",)) and not _is_under(root, written):
        folder = printable(document.written.get(("root",), str(root)))
        _report(document, keys, f"a path under {folder}", "move it there, or widen root")


def _is_under(root: Path, written: str) -> bool:
    """Also with all symlinks followed, of the path itself and of what its pattern matches."""
    try:
        paths = [root / written, *_matches(root / written)]
        return all(path.resolve().is_relative_to(root) for path in paths)
    except (OSError, ValueError, RuntimeError):  # a NUL, a name too long, a loop of symlinks
        return False


def _matches(path: Path) -> list[Path]:
    if not glob.has_magic(str(path)):
        return []
    return [Path(match) for match in islice(glob.iglob(str(path), recursive=True), _MATCHES_LOOKED_AT)]


def _check_inside_package(document: Document, keys: Keys) -> None:
    written: Any = document.get(*keys)
    if not isinstance(written, str):
        return
    path = PurePosixPath(written)
    if path.is_absolute() or ".." in path.parts:
        _report(document, keys, "a path inside the package", "write it without .. and a leading /")


def _report(document: Document, keys: Keys, expected: str, fix: str) -> None:
    where, got = document.value_place(keys), shown(document.as_written(keys))
    what = f"{document.dotted(keys)} leads outside"
    document.report(keys, UsageError("C011", what, where=where, got=got, expected=expected, fix=fix))
