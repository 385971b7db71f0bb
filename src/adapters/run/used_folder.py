"""Whether a folder is a run's, and how it is emptied for another of the same name."""

from __future__ import annotations

import shutil
from pathlib import Path

from .open_run import LOCK, MANIFEST, RECIPE
from .whole_files import discard, sync

_LEAVING = ".overwritten"
"""Takes what is to be removed; where it is, the rest is of a run that was being removed."""

_BEGUN = {LOCK, RECIPE, f".{RECIPE}.partial", f".{MANIFEST}.partial"}
"""All that a run has before its first manifest."""


def is_run(folder: Path) -> bool:
    """Whether all in it is ours: a run, one that has just begun, or one that was being removed."""
    names = _names(folder)
    return names is not None and (_LEAVING in names or names <= _BEGUN or names >= {RECIPE, MANIFEST})


def has_only_begun(folder: Path) -> bool:
    """Whether a run was stopped there before it had anything to lose."""
    names = _names(folder)
    return names is not None and names <= _BEGUN


def can_go_on(folder: Path) -> bool:
    """Whether it is a run that can be opened again."""
    names = _names(folder)
    return is_run(folder) and names is not None and RECIPE in names and _LEAVING not in names


def clear(folder: Path) -> None:
    """Removes everything but the lock.

    The manifest goes first: if the process is killed on the way, the folder is no run that is listed or
    gone on with, and still one that can be overwritten.
    """
    leaving = folder / _LEAVING
    leaving.mkdir(mode=0o700, exist_ok=True)
    for name in sorted(
        (_names(folder) or set()) - {LOCK, _LEAVING}, key=lambda name: (name != MANIFEST, name)
    ):
        discard(leaving / name)
        (folder / name).replace(leaving / name)
    sync(folder)
    shutil.rmtree(leaving)


def _names(folder: Path) -> set[str] | None:
    """None where there is no such folder."""
    return {path.name for path in folder.iterdir()} if folder.is_dir() else None
