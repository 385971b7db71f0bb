"""Give a procedure to other programs."""

from __future__ import annotations

from ..domain.ports.procedure import ProcedureFolders, ProcedureFormat, ProcedureStore


class ExportProcedure:
    """Writes a version as a folder that any reader of the Agent Skills specification takes."""

    def __init__(self, store: ProcedureStore, folders: ProcedureFolders, form: ProcedureFormat) -> None:
        self._store = store
        self._folders = folders
        self._form = form

    def __call__(self, name: str, to: str, sha: str = "") -> str:
        """Makes a folder of the procedure's name in ``to``, and returns its path.

        Args:
            sha: of the version; empty: what stands in its folder.

        Raises:
            DataError: D042, D043. UsageError: C112 when something else is there.
        """
        whole = sha or self._store.standing(name)[1].sha
        path = f"{to.rstrip('/') or '/'}/{name}"
        self._folders.write(path, self._form.portable(self._store.files(name, whole)))
        return path
