"""The offline kit: packages pinned by version and sha256 that bring a model for each task with pip alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import PurePosixPath

HUB_FOLDER = "hub"
DATA_FOLDER = "kit"


class Preparation(StrEnum):
    """How a package's files become what a loader reads."""

    AS_IS = "as is"
    GGUF = "gguf to safetensors"
    ONNX_BERT = "int8 onnx to safetensors"
    ONNX_EMBEDDER = "int8 onnx to sentence embedder"


@dataclass(frozen=True, slots=True)
class PackagePin:
    """One wheel and no other.

    Attributes:
        sha256: of the wheel, 64 hexadecimal digits.
        size: of the wheel, in bytes.
    """

    name: str
    version: str
    sha256: str
    size: int

    @property
    def requirement(self) -> str:
        """The line of a requirements file that lets pip accept nothing else."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"

    @property
    def filename(self) -> str:
        """The name of the wheel; the kit takes pure packages only."""
        return f"{self.name.replace('-', '_')}-{self.version}-py3-none-any.whl"

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, slots=True)
class KitItem:
    """A package of the kit and what it becomes.

    Attributes:
        id: a short name.
        purpose: what it serves for, in a few words.
        folder: the folder inside the wheel that is taken, ``""`` for the whole wheel.
        members: patterns of the wanted files, relative to that folder; ``*`` does not cross a slash.
        repository: the hub name it answers to, or None for plain data.
        disk: bytes that must be free to install it, with the wheel and what is unpacked on the way.
    """

    id: str
    purpose: str
    pin: PackagePin
    folder: str
    members: tuple[str, ...]
    preparation: Preparation
    license: str
    repository: str | None
    disk: int

    @property
    def revision(self) -> str:
        """40 hexadecimal digits that change with the package, the choice of files and their treatment."""
        recipe = "\n".join((self.pin.sha256, self.folder, *self.members, self.preparation.value))
        return sha256(recipe.encode()).hexdigest()[:40]

    @property
    def location(self) -> PurePosixPath:
        """The item's folder, relative to the home folder."""
        if self.repository is None:
            return PurePosixPath(DATA_FOLDER, self.pin.name)
        return PurePosixPath(HUB_FOLDER, "models--" + self.repository.replace("/", "--"))

    @property
    def files(self) -> PurePosixPath:
        """Where its files lie inside the location: a snapshot of the hub's cache, or the location itself."""
        return PurePosixPath() if self.repository is None else PurePosixPath("snapshots", self.revision)

    def wanted(self, member: str) -> str | None:
        """The path a member of the wheel gets, or None when it is not wanted."""
        prefix = f"{self.folder}/" if self.folder else ""
        path = member.removeprefix(prefix)
        chosen = member.startswith(prefix) and any(_matches(path, pattern) for pattern in self.members)
        return path if chosen else None


def _matches(path: str, pattern: str) -> bool:
    parts, patterns = path.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def is_safe_path(path: str) -> bool:
    """Whether a name from an archive or a manifest stays inside the folder it is joined to, on any system."""
    plain = path.isprintable() and not set(path) & set('\\:*?"<>|')
    return plain and not path.startswith("/") and all(part not in ("", ".", "..") for part in path.split("/"))
