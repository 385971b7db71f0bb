"""Say what differs between two versions of a procedure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff

from ..domain.ports.procedure import ProcedureStore
from ..domain.procedure import Version
from .promote_procedure import active_sha


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that differs.

    Attributes:
        change: added, removed or changed.
        diff: in the unified form; empty where a file is no text.
    """

    path: str
    change: str
    diff: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions and the files that differ, by path."""

    old: Version
    new: Version
    files: tuple[FileChange, ...]


class CompareVersions:
    """Compares the files of two versions."""

    def __init__(self, store: ProcedureStore) -> None:
        self._store = store

    def __call__(self, name: str, old: str = "", new: str = "") -> Comparison:
        """Compares.

        Args:
            new: a version's sha; empty: what stands in the folder.
            old: the same; empty: the active version or, where that is the new one, its parent.

        Raises:
            DataError: D042, D043.
        """
        after = self._store.version(name, new) if new else self._store.standing(name)[1]
        before = self._store.version(name, old or self._default(name, after))
        files = _changes(self._store.files(name, before.sha), self._store.files(name, after.sha))
        return Comparison(before, after, tuple(files))

    def _default(self, name: str, new: Version) -> str:
        active = active_sha(self._store, name)
        return active if active not in ("", new.sha) else new.parent or new.sha


def _changes(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Iterator[FileChange]:
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) != new.get(path):
            change = "added" if path not in old else "removed" if path not in new else "changed"
            yield FileChange(path, change, _diff(path, old.get(path, b""), new.get(path, b"")))


def _diff(path: str, old: bytes, new: bytes) -> str:
    try:
        before, after = old.decode(), new.decode()
    except UnicodeDecodeError:
        return ""
    if "\0" in before + after:
        return ""
    lines = unified_diff(before.splitlines(), after.splitlines(), f"old/{path}", f"new/{path}", lineterm="")
    return "\n".join(lines)
