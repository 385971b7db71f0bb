"""Put a version of a procedure into use."""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.errors import DataError, UsageError
from ..domain.ports.procedure import ProcedureStore
from ..domain.procedure import Status, Version


@dataclass(frozen=True, slots=True)
class Promoted:
    """The version that is in use now.

    Attributes:
        before: the sha of the one that was, empty where none was.
    """

    version: Version
    before: str


class PromoteProcedure:
    """Makes a version the active one, and puts it into the folder."""

    def __init__(self, store: ProcedureStore) -> None:
        self._store = store

    def trial(self, name: str, sha: str = "", reason: str = "") -> Version:
        """Lets half of the requests meet a version of the project's own, until outcomes decide.

        Args:
            sha: of the version; empty: what stands in its folder.

        Raises:
            DataError: D043. UsageError: C110; C119 when the version cannot be tried.
        """
        keep_edits(self._store, name)
        chosen = self._store.version(name, sha or self._store.standing(name)[1].sha)
        if chosen.author == "import":
            what, fix = "what was imported is not tried", "read it, then promote it without --trial"
        elif not (active := active_sha(self._store, name)):
            what, fix = "no version is in use that it could be compared with", "promote it without --trial"
        elif active == chosen.sha:
            what, fix = "this version is in use already", "name another one: `cesello sop show` lists them"
        else:
            return self._store.set_status(name, chosen.sha, Status.TRIAL, reason)
        raise UsageError("C119", what, where=name, got=f"{chosen.sha[:8]} by {chosen.author}", fix=fix)

    def __call__(self, name: str, sha: str = "", reason: str = "") -> Promoted:
        """What a person has edited is recorded before the folder changes.

        Args:
            sha: of the version; empty: what stands in its folder.

        Raises:
            DataError: D043. UsageError: C110 when the folder holds edits that cannot be recorded; then
                nothing was changed.
        """
        keep_edits(self._store, name)
        chosen = self._store.version(name, sha or self._store.standing(name)[1].sha)
        before = active_sha(self._store, name)
        self._store.check_out(name, chosen.sha)  # first: where the folder is in the way nothing has changed
        version = self._store.set_status(name, chosen.sha, Status.ACTIVE, reason)
        return Promoted(version, before if before != version.sha else "")


def active_sha(store: ProcedureStore, name: str) -> str:
    """Of the version in use; empty where none is."""
    return next((one.sha for one in store.versions(name) if one.status is Status.ACTIVE), "")


def keep_edits(store: ProcedureStore, name: str) -> None:
    """Records what stands in the folder, if there is one.

    Raises:
        UsageError: C110 when that cannot be, since it is not well-formed.
    """
    try:
        store.standing(name)
    except DataError as cause:
        if cause.code == "D043":  # there is no folder
            return
        if cause.code not in ("D042", "D046"):
            raise
        fix = f"mend what `cesello sop lint {name}` finds, or move the folder away"
        what = "the folder holds edits that cannot be recorded, since they are not well-formed"
        raise UsageError("C110", what, where=name, fix=fix) from cause
