"""Report a run: read its folder, and say what a person wants to know of it."""

from __future__ import annotations

from ..domain.errors import StorageError
from ..domain.ports.run import RunReader, RunStore
from ..domain.run_report import Report, run_report


class ReportRun:
    """Reads only; a run that is going on can be reported as far as it is."""

    def __init__(self, runs: RunStore, reader: RunReader) -> None:
        self._runs = runs
        self._reader = reader

    def __call__(self, run: str) -> Report:
        """The report of a run: an id, a name, a path, or ``latest``.

        Raises:
            DataError: D030 when there is none. StorageError: I096 when its files hold what is never written.
        """
        found = self._runs.find(run)
        recorded = self._reader.read(found)
        try:
            return run_report(recorded)
        except (ValueError, TypeError, KeyError, IndexError, OverflowError) as cause:
            raise StorageError(
                "I096",
                "the run's files hold what cesello never writes there",
                where=found.path,
                got=f"{type(cause).__name__}: {cause}",
                fix="`cesello verify RUN` tells what has changed; put the files back as they were",
            ) from cause
