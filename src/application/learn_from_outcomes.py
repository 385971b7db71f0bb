"""Write down what came of a procedure, and take out of use what does harm."""

from __future__ import annotations

from collections.abc import Sequence

from ..domain.errors import DataError
from ..domain.ports.procedure import ProcedureLog, ProcedureStore
from ..domain.procedure import ProcedureRun, Status, Version
from ..domain.procedure_outcomes import Verdict, alike, verdict


class LearnFromOutcomes:
    """Adds runs to the log and follows the rules of ``procedure_outcomes``."""

    def __init__(self, store: ProcedureStore, log: ProcedureLog) -> None:
        self._store = store
        self._log = log

    def __call__(self, run: ProcedureRun) -> Verdict | None:
        """Writes a run down; what has become of a version of its procedure, if anything has.

        Raises:
            CeselloError: those of the log and of the store.
        """
        self._log.add(run)
        return self.settle(run.name, run.origin)

    def settle(self, name: str, origin: str = "user") -> Verdict | None:
        """Promotes, quarantines or retires, by all runs of a procedure that are like those of ``origin``.

        Returns:
            None: nothing is to change.

        Raises:
            CeselloError: those of the log and of the store.
        """
        return self._settled(name, alike(self._log.runs(name), origin))

    def together(self, runs: Sequence[ProcedureRun]) -> Sequence[Verdict]:
        """The same for the runs of one training, which are written in one piece and looked at in their order.

        Raises:
            CeselloError: those of the log and of the store.
        """
        self._log.add(*runs)
        found = []
        for name in dict.fromkeys(run.name for run in runs):
            known = alike(self._log.runs(name), runs[0].origin)
            looks = (self._settled(name, known[at:]) for at in reversed(range(len(known))))
            found += [one for one in looks if one is not None][:1]
        return found

    def _settled(self, name: str, runs: Sequence[ProcedureRun]) -> Verdict | None:
        try:
            versions = self._store.versions(name)
        except DataError:  # it was deleted since
            return None
        found = verdict(runs, _newest(versions, Status.ACTIVE), _newest(versions, Status.TRIAL))
        if found is not None:
            self._store.set_status(name, found.version.sha, found.status, found.reason)
        return found


def _newest(versions: Sequence[Version], status: Status) -> Version | None:
    return next((one for one in versions if one.status is status), None)
