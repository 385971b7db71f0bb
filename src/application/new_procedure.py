"""Begin a procedure."""

from __future__ import annotations

from collections.abc import Mapping

from ..domain.errors import DataError, UsageError
from ..domain.ports.procedure import ProcedureFormat, ProcedureStore
from ..domain.procedure import Status, Version


class NewProcedure:
    """Makes the folder of a procedure that is not there yet."""

    def __init__(self, store: ProcedureStore, form: ProcedureFormat) -> None:
        self._store = store
        self._form = form

    def __call__(self, name: str, files: Mapping[str, bytes], *, draft: bool = False) -> Version:
        """Records the files under that name and puts them into its folder.

        Args:
            draft: leaves it out of use until it was edited or is promoted.

        Raises:
            UsageError: C111 when the name cannot be one, or is taken.
        """
        if has_folder(self._store, name):
            fix = "choose another name, or edit it: `cesello sop lint` says what is wrong with it"
            raise UsageError("C111", "there is a procedure of that name already", where=name, fix=fix)
        version = self._store.add(name, self._form.named(files, name), author="user")
        retire_deleted(self._store, name)
        version = self._store.set_status(name, version.sha, Status.DRAFT if draft else Status.ACTIVE)
        self._store.check_out(name, version.sha)
        return version


def has_folder(store: ProcedureStore, name: str) -> bool:
    """Whether there is a folder of that name, well-formed or not."""
    try:
        store.folder(name)
    except DataError as problem:
        return problem.code != "D043"
    return True


def retire_deleted(store: ProcedureStore, name: str) -> None:
    """Takes out of use, or out of trial, what has no folder any more: a new one does not bring it back."""
    for one in store.versions(name):
        if one.status in (Status.ACTIVE, Status.TRIAL):
            store.set_status(name, one.sha, Status.RETIRED, "its folder was deleted")
