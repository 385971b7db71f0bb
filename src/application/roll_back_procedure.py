"""Go back to the version of a procedure that was in use before."""

from __future__ import annotations

from ..domain.errors import UsageError
from ..domain.ports.procedure import ProcedureStore
from ..domain.procedure import Status, Version
from .promote_procedure import Promoted, active_sha, keep_edits

ROLLED_BACK = "rolled back"
"""The reason of a version that was gone back from."""


class RollBackProcedure:
    """Undoes a promotion; what was gone back from is kept, and is not gone back to."""

    def __init__(self, store: ProcedureStore) -> None:
        self._store = store

    def __call__(self, name: str) -> Promoted:
        """Makes the version active that was so last before the present one, and puts it into the folder.

        Raises:
            DataError: D043 when there is no such procedure. UsageError: C110; C114 when there is nothing to
                go back to.
        """
        keep_edits(self._store, name)
        before = active_sha(self._store, name)
        chosen = self._last(name, before)
        self._store.check_out(name, chosen.sha)
        version = self._store.set_status(
            name, chosen.sha, Status.ACTIVE, "gone back to", replaced=ROLLED_BACK
        )
        return Promoted(version, before)

    def _last(self, name: str, before: str) -> Version:
        known = {one.sha: one for one in self._store.versions(name)}
        for change in self._store.changes(name):
            one = known[change.sha]
            was_left = one.status is Status.RETIRED and one.reason != ROLLED_BACK
            if change.status is Status.ACTIVE and one.sha != before and was_left:
                return one
        fix = f"`cesello sop show {name}` lists its versions; `cesello sop promote {name} SHA` takes any"
        raise UsageError("C114", "no version was in use before this one", where=name, fix=fix)
