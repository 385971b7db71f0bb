"""Which files a source reads: regular ones under its root, and nothing that a link leads to elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ...domain.errors import DataError

Choice = Callable[[Path], bool]


def files_under(folder: Path, root: Path, wanted: Choice, entered: Choice) -> Iterator[Path]:
    """The wanted files of a folder and of those in it, by their names; links are followed inside root.

    Args:
        root: absolute and without links.
        entered: which folders are looked into; one that several links lead to is looked into once.

    Raises:
        DataError: D003 for a link out of root, and for a wanted file that ``checked`` refuses.
    """
    yield from _walk(folder, root, wanted, entered, {folder.resolve()})


def _walk(folder: Path, root: Path, wanted: Choice, entered: Choice, seen: set[Path]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if not path.is_dir():
            if wanted(path):
                yield checked(path, root)
        elif entered(path):
            real = _inside(path, root)
            if real not in seen:
                seen.add(real)
                yield from _walk(path, root, wanted, entered, seen)


def checked(path: Path, root: Path) -> Path:
    """The path of a regular file under root.

    Raises:
        DataError: D003 where it, or what it links to, lies outside or is no regular file.
    """
    if not _inside(path, root).is_file():
        raise DataError(
            "D003",
            "a file is not a regular file",
            where=shown(path, root),
            got="a link to nothing" if path.is_symlink() and not path.exists() else "a pipe or a device",
            fix="remove it, or write its rows to a file",
        )
    return path


def _inside(path: Path, root: Path) -> Path:
    real = path.resolve()
    if not real.is_relative_to(root):
        raise DataError(
            "D003",
            "a path leads out of the root",
            where=shown(path, root),
            fix="move what it leads to under the root, widen root, or remove the link",
        )
    return real


def shown(path: Path, root: Path) -> str:
    """A path as a person knows it: relative to root, where it is under it."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def stamps(paths: Iterable[Path]) -> list[tuple[str, int, int]]:
    """Path, size in bytes and time of the last change in nanoseconds, of every file."""
    states = ((path.resolve(), path.stat()) for path in paths)
    return [(str(path), state.st_size, state.st_mtime_ns) for path, state in states]
