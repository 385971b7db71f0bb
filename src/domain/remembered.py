"""What a memory holds: files with their chunks, and the keys by which texts are embedded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import translate
from hashlib import sha256
from itertools import takewhile
from re import compile as compiled

from .document import Chunk

KEY_LENGTH = 32
"""Hexadecimal digits of a key, 128 bits: two texts have one key by chance once in 10^19 of a billion."""


def key_of(text: str) -> str:
    """By what a text is known: the same text has one vector, in whichever files and lines it stands."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:KEY_LENGTH]


@dataclass(frozen=True, slots=True)
class FileMark:
    """How a file was when it was read.

    Attributes:
        path: as in ``SourceFile``.
        size: in bytes.
        modified: time of the last change, in nanoseconds.
        digest: sha256 of the bytes, hexadecimal.
    """

    path: str
    size: int
    modified: int
    digest: str = ""


@dataclass(frozen=True, slots=True)
class RememberedFile:
    """A file as it is kept.

    Attributes:
        chunks: in order, covering the file.
        keys: of the texts that are embedded, one a chunk.
    """

    mark: FileMark
    chunks: Sequence[Chunk]
    keys: Sequence[str]


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file or a folder that is left alone.

    Attributes:
        reason: a key of ``SKIPPED``.
    """

    path: str
    reason: str


SKIPPED: Mapping[str, str] = {
    "ignored": "named by .gitignore, .ignore or .cesello-ignore",
    "vendored": "a folder of other people's code, of builds or of caches",
    "hidden": "a hidden file or folder",
    "binary": "binary data",
    "generated": "written by a program, minified, or a lock file",
    "large": "larger than the limit",
    "empty": "empty",
    "link": "a link; what it leads to is read where it is",
    "special": "a pipe, a socket or a device",
    "unreadable": "may not be read, or is not there",
    "changed": "changed while it was read",
}
"""Why files are left alone."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which chunks are asked; all of them where nothing is said.

    Attributes:
        paths: patterns as a shell's (``src/*.py``), or folders; one of them must fit.
        languages, kinds: one of them must be the chunk's.
    """

    paths: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.paths or self.languages or self.kinds)

    def fits_path(self, path: str) -> bool:
        """Whether a file's chunks are asked. ``*`` takes in slashes, a folder all that is below it."""
        return not self.paths or any(_fits(path, _without_dots(pattern)) for pattern in self.paths)


EVERYTHING = Selection()


def _fits(path: str, pattern: str) -> bool:
    """Brackets are those of a shell, or of names as ``app/[id]``."""
    literal = {pattern, pattern.replace("[", "[[]")}
    return is_under(path, pattern) or any(compiled(translate(one)).match(path) for one in literal)


def is_under(path: str, folder: str) -> bool:
    """Whether a path is a folder or below it; both as the memory names them, relative to its own folder."""
    if folder == "." or set(folder.split("/")) == {".."}:  # the memory's folder, or one that it is below
        return _ascents(path) <= _ascents(folder)
    return path == folder or path.startswith(f"{folder}/")


def _ascents(path: str) -> int:
    """How often a path goes up before it goes down."""
    return sum(1 for _ in takewhile("..".__eq__, path.split("/")))


def _without_dots(pattern: str) -> str:
    """A pattern as paths are named: ``./src/`` is ``src``."""
    bare = pattern.rstrip("/")
    while bare.startswith("./"):
        bare = bare[2:].lstrip("/")
    return bare or "."


@dataclass(frozen=True, slots=True)
class IndexMark:
    """What is known of an index.

    Attributes:
        revision: of the truth that it was made equal to.
        dirty: whether it was being written when last heard of.
        stamp: what was written on it then, drawn anew each time. An index with another one is of another
            truth, or of another state of this one, as when one of the two is put back from a copy.
    """

    revision: int
    dirty: bool
    stamp: str = ""


class IndexState(StrEnum):
    """What there is of an index."""

    NONE = "none"
    """The memory is too small for one, or shall have none."""
    UNBUILT = "unbuilt"
    BEHIND = "behind"
    """Something was remembered or forgotten since, or it is not the one that was made."""
    SILENT = "silent"
    """It cannot be read, or its server gives no answer."""
    READY = "ready"


@dataclass(frozen=True, slots=True)
class IndexFinding:
    """Whether an index can be asked.

    Attributes:
        trouble: of a silent one, what it or its server said, and what helps.
    """

    state: IndexState
    trouble: str = ""

    @property
    def said(self) -> str:
        """What is wrong, behind its name; empty where nothing is."""
        return {
            IndexState.UNBUILT: "was never made: the next `cesello remember` makes it",
            IndexState.BEHIND: "is behind: the next `cesello remember` brings it up to date",
            IndexState.SILENT: f"gives no answer: {self.trouble}",
        }.get(self.state, "")


@dataclass(frozen=True, slots=True)
class MemoryState:
    """A memory in figures.

    Attributes:
        fingerprint: of the embedder that made the vectors; empty while there are none.
        chunker: fingerprint of the chunker.
        roots: what was asked to be remembered.
        chunks: those of all files; ``texts`` those that differ, each with a vector.
        revision: grows with every change.
        languages: chunks of each.
        size: of the truth, in bytes.
        rebuilding: vectors that a rebuild left unfinished has made.
        identity: drawn when the memory was made, which its copies have too; empty for one of old.
    """

    fingerprint: str
    chunker: str
    roots: tuple[str, ...]
    files: int
    chunks: int
    texts: int
    revision: int
    languages: Mapping[str, int] = field(default_factory=dict)
    size: int = 0
    rebuilding: int = 0
    identity: str = ""
