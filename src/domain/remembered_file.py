"""A file as a memory holds it: its text put together again, and what it is called before a person."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from posixpath import basename, dirname

from .document import Chunk
from .remembered import FileMark, is_under

_CLIMB = re.compile(r"\A(?:\.\./|/)+")


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A file of a memory.

    Attributes:
        path: as the memory names it.
        shown: as a person names it, see ``shown_paths``.
        sha: sha256 of its bytes, hexadecimal.
        chunks: in order, covering the file.
    """

    path: str
    shown: str
    sha: str
    chunks: Sequence[Chunk]

    @property
    def text(self) -> str:
        """All of it: its chunks, one after the other, are the file."""
        return "".join(chunk.text for chunk in self.chunks)

    @property
    def is_python(self) -> bool:
        return self.path.endswith((".py", ".pyi"))


def indexed_files(
    chunks: Iterable[tuple[str, Chunk]], marks: Mapping[str, FileMark], shown: Mapping[str, str]
) -> Iterator[IndexedFile]:
    """The files of ``ChunkStore.all_chunks``, one at a time."""
    for path, of_file in groupby((chunk for _, chunk in chunks), lambda chunk: chunk.path):
        if path in marks:
            yield IndexedFile(path, shown[path], marks[path].digest, tuple(of_file))


def generation_of(marks: Mapping[str, FileMark]) -> str:
    """Twelve digits that stand for every file of a memory, its path and its bytes, in whatever order read."""
    digest = sha256()
    for path in sorted(marks):
        for part in (path, marks[path].digest):
            digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()[:12]


def shown_paths(paths: Iterable[str], roots: Sequence[str]) -> dict[str, str]:
    """What each file is called: its path from the folder that was remembered, that folder's name included.

    ``.venv/lib/python3.11/site-packages/gepa/api.py`` is ``gepa/api.py`` where ``.../gepa`` was remembered:
    as its imports call it. Where two files would have one name, both keep their paths, without the ``../``
    that one outside the project begins with, if even so no other is called the same.
    """
    named = {path: _shown(path, roots) for path in paths}
    short = Counter(named.values())
    named = {path: name if short[name] == 1 else path for path, name in named.items()}
    bare = {path: _CLIMB.sub("", name) for path, name in named.items()}
    taken = Counter(bare.values())
    return {path: bare[path] if taken[bare[path]] == 1 else name for path, name in named.items()}


def _shown(path: str, roots: Sequence[str]) -> str:
    fitting = [root for root in roots if is_under(path, root)]
    root = max(fitting, key=len, default=".")
    if root == "." or set(root.split("/")) == {".."}:
        return path
    folder = dirname(root)
    return path[len(folder) + 1 :] if folder else path


def names_of_path(file: IndexedFile, basenames: Mapping[str, int]) -> tuple[str, ...]:
    """All that a file may rightly be called, the best first.

    Args:
        basenames: how many files of the memory have each last name; one that is its alone will do.

    A path out of the project says where things are on one machine, and is no answer.
    """
    names = [file.shown] if is_climbing(file.path) else [file.shown, file.path]
    last = basename(file.path)
    if basenames.get(last) == 1:
        names.append(last)
    if file.is_python:
        names.append(module_of(file.shown))
    return tuple(dict.fromkeys(names))


def is_climbing(path: str) -> bool:
    """Whether a path leads out of the project."""
    return _CLIMB.match(path) is not None


def module_of(shown: str) -> str:
    """The module that a Python file is: ``gepa/core/engine.py`` is ``gepa.core.engine``."""
    parts = shown.rsplit(".", 1)[0].strip("/").split("/")
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
