"""Take a procedure from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.ports.procedure import ProcedureFolders, ProcedureFormat, ProcedureStore
from ..domain.procedure import Version
from .new_procedure import has_folder, retire_deleted


@dataclass(frozen=True, slots=True)
class Imported:
    """What was recorded.

    Attributes:
        placed: whether its folder was made; one that was there is left as it is.
        notes: what had to be changed, a sentence each.
    """

    version: Version
    placed: bool
    notes: tuple[str, ...]


class ImportProcedure:
    """Records a folder with a ``SKILL.md`` as a draft: a person promotes what came from somebody else."""

    def __init__(self, store: ProcedureStore, folders: ProcedureFolders, form: ProcedureFormat) -> None:
        self._store = store
        self._folders = folders
        self._form = form

    def __call__(self, path: str, name: str = "") -> Imported:
        """Reads a folder, mends what the specification does not allow, and records it.

        Args:
            name: that it is to have; empty: its own.

        Raises:
            DataError: D042 when it is not well-formed, D043 when it is not there, D046 when it is not safe.
            UsageError: C111 when nothing can have that name.
        """
        if name:
            has_folder(self._store, name)  # no fault of a name that was given is told as one of the files
        files = self._folders.read(path)
        adopted = self._form.adopted(files, path, name)
        # What cannot be mended is told at its place there, unless mending has moved the lines.
        where = path if adopted.files == files else f"{path} (as mended)"
        self._form.read(adopted.files, where, adopted.name)
        is_new = not has_folder(self._store, adopted.name)
        version = self._store.add(adopted.name, adopted.files, author="import")
        if is_new:
            retire_deleted(self._store, adopted.name)
            self._store.check_out(adopted.name, version.sha)
            version = self._store.version(adopted.name, version.sha)
        return Imported(version, is_new, adopted.notes)
