"""Begin a procedure."""

from __future__ import annotations

from collections.abc import Mapping

from ..domain.errors import UsageError
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
        if name in self._store.names():
            fix = "choose another name, or edit it: `cesello sop show` tells where it is"
            raise UsageError("C111", "there is a procedure of that name already", where=name, fix=fix)
        version = self._store.add(name, self._form.named(files, name), author="user")
        if not draft:
            version = self._store.set_status(name, version.sha, Status.ACTIVE)
        self._store.check_out(name, version.sha)
        return version
