"""Write down what came of a procedure, and take out of use what does harm."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..domain.errors import DataError
from ..domain.ports.procedure import ProcedureLog, ProcedureStore
from ..domain.procedure import Change, ProcedureRun, Status, Version
from ..domain.procedure_looks import Verdict, first_verdict, verdict
from ..domain.procedure_outcomes import alike, matched_at_random, score

_Rule = Callable[[Sequence[ProcedureRun], Version | None, Version | None, Sequence[Change]], Verdict | None]


class LearnFromOutcomes:
    """Adds runs to the log and follows the rules of ``procedure_looks``."""

    def __init__(self, store: ProcedureStore, log: ProcedureLog) -> None:
        self._store = store
        self._log = log

    def __call__(self, run: ProcedureRun) -> Verdict | None:
        """Writes a run down; what has become of a version of its procedure, if anything has.

        It is looked at its versions where the run says something of them: where it was judged, and matched.

        Raises:
            CeselloError: those of the log and of the store.
        """
        self._log.add(run)
        if score(run) is None or not matched_at_random(run):
            return None
        return self._settled(run, verdict)

    def together(self, runs: Sequence[ProcedureRun]) -> Sequence[Verdict]:
        """The same for the runs of one training, which are written in one piece and looked at in their order.

        Raises:
            CeselloError: those of the log and of the store.
        """
        self._log.add(*runs)
        names = {run.name: run for run in runs}
        found = [self._settled(run, first_verdict) for run in names.values()]
        return [one for one in found if one is not None]

    def _settled(self, run: ProcedureRun, rule: _Rule) -> Verdict | None:
        """What has become of a version, by all runs of the procedure that are like this one."""
        try:
            versions = self._store.versions(run.name)
        except DataError:  # it was deleted since
            return None
        runs, changes = alike(self._log.runs(run.name), run.origin), self._store.changes(run.name)
        found = rule(runs, _newest(versions, Status.ACTIVE), _newest(versions, Status.TRIAL), changes)
        if found is not None:
            self._store.set_status(run.name, found.version.sha, found.status, found.reason)
        return found


def _newest(versions: Sequence[Version], status: Status) -> Version | None:
    return next((one for one in versions if one.status is status), None)
