"""What a run's folder holds besides weights and checkpoints' tensors: told when it ends, and to verify it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from .whole_files import sha256_of

CHECKPOINTS, BAD_BATCHES = "checkpoints", "bad-batches"
STRANGE = "no regular file"
_OTHERWISE = (".lock", "manifest.json", "recipe.yaml", "lora")
"""The manifest itself, and what it has other words for."""
_GROWING = "ledger.sqlite3"
"""A database, whose bytes may change when it is read."""


def seal(run: Path) -> dict[str, str]:
    """sha256 by path of every file that does not change any more; of the rest the names, with nothing.

    Of a checkpoint it is the ``MANIFEST.json``, which has the sha256 of the others. No link is followed.

    Raises:
        OSError: the folder cannot be read.
    """
    if not run.is_dir():
        return {}
    return dict(_top(run))


def _top(run: Path) -> Iterator[tuple[str, str]]:
    for entry in sorted(run.iterdir()):
        if entry.name in _OTHERWISE:
            continue
        if not S_ISDIR(entry.lstat().st_mode):
            yield entry.name, "" if entry.name.startswith(_GROWING) else _digest(entry)
        elif entry.name == CHECKPOINTS:
            yield from _checkpoints(entry)
        elif entry.name == BAD_BATCHES:
            yield from ((f"{BAD_BATCHES}/{file.name}", _digest(file)) for file in sorted(entry.iterdir()))
        else:
            yield f"{entry.name}/", ""


def _checkpoints(folder: Path) -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir()):
        file = entry / "MANIFEST.json"
        if not S_ISDIR(entry.lstat().st_mode):
            yield f"{CHECKPOINTS}/{entry.name}", _digest(entry)
        elif not entry.name.startswith(".") and file.exists():
            yield f"{CHECKPOINTS}/{entry.name}/{file.name}", _digest(file)


def _digest(file: Path) -> str:
    return sha256_of(file) if S_ISREG(file.lstat().st_mode) else STRANGE
