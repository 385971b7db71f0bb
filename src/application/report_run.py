"""Report a run: read its folder, and say what a person wants to know of it."""

from __future__ import annotations

from dataclasses import replace

from ..domain.errors import CeselloError, StorageError
from ..domain.ports.prompt import SearchAnswers
from ..domain.ports.run import RunReader, RunStore
from ..domain.ports.trace import SpanTimes
from ..domain.recorded_run import RecordedRun, figure
from ..domain.run import RunSummary
from ..domain.run_report import Report, run_report
from ..domain.secret_text import Redact
from ..domain.unfinished_search import unfinished_search


class ReportRun:
    """Reads only; a run that is going on can be reported as far as it is.

    Args:
        answers: what prompt searches have kept, for one that has not come to its end.
        times: of the spans of runs.
        redact: takes secrets out of texts.
    """

    def __init__(
        self,
        runs: RunStore,
        reader: RunReader,
        answers: SearchAnswers,
        times: SpanTimes,
        redact: Redact,
    ) -> None:
        self._runs = runs
        self._reader = reader
        self._answers = answers
        self._times = times
        self._redact = redact

    def __call__(self, run: str) -> Report:
        """The report of a run: an id, a name, a path, or ``latest``.

        Raises:
            DataError: D030 when there is none. StorageError: I096 when its files hold what is never written.
        """
        found = self._runs.find(run)
        recorded = replace(self._reader.read(found), spans=self._times.times(found))
        if recorded.algorithm == "apo":
            recorded = self._with_ledger(found, recorded)
        try:
            return run_report(recorded, self._redact)
        except (ValueError, TypeError, KeyError, IndexError, OverflowError) as cause:
            raise StorageError(
                "I096",
                "the run's files hold what cesello never writes there",
                where=found.path,
                got=f"{type(cause).__name__}: {cause}",
                fix="`cesello verify RUN` tells what has changed; put the files back as they were",
            ) from cause

    def _with_ledger(self, found: RunSummary, recorded: RecordedRun) -> RecordedRun:
        """With what the ledger of a search knows: all of one that has not ended, and the least reward.

        One that cannot be read is told.
        """
        search = recorded.search
        try:
            if not search:
                candidates, tasks = self._answers.candidates(found), self._answers.tasks(found)
                trials = self._answers.trials(found)
                search = unfinished_search(recorded.manifest, candidates, trials, tasks)
            if search:
                search = {**search, "lowest": self._lowest(found)}
        except CeselloError as problem:
            return replace(recorded, damaged=(*recorded.damaged, problem.what))
        return replace(recorded, search=search)

    def _lowest(self, found: RunSummary) -> float | None:
        """Of all rewards that candidates are judged by."""
        trials = self._answers.trials(found)
        rewards = (figure(one, "reward") for one in trials if not one.get("former"))
        return min((each for each in rewards if each is not None), default=None)
