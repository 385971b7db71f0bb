"""Read what a run has come to so far, from what it has written."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..domain.ports.live_runs import LiveRuns
from ..domain.ports.run import RunStore
from ..domain.run import RunStatus, RunSummary
from ..domain.run_figures import RunFigures, best_so_far

_MOST_NEWS = 200
"""Lines that are handed on at a time; older ones are in the figures alone."""

_ORDER = {"metrics": 0, "evaluations": 1, "alarms": 2}


@dataclass(frozen=True, slots=True)
class RunView:
    """A run at one moment.

    Attributes:
        quiet: seconds since its logs were written to; None where it has none.
        news: (log, line) of metrics, evaluations and alarms since the last view, by step.
        figures: of all that was read so far; they go on with the next view.
        anew: its logs were cut back since then, as by a resume, and all figures were read again.
    """

    summary: RunSummary
    figures: RunFigures
    quiet: float | None = None
    news: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    anew: bool = False

    @property
    def is_search(self) -> bool:
        """Whether a prompt is searched, and no weights are trained."""
        return self.summary.manifest.get("algorithm") == "apo"

    @property
    def steps(self) -> int:
        """That were done; of a search, rollouts."""
        return max(self.summary.steps if self.is_search else 0, self.figures.step) or self.summary.steps

    @property
    def was_killed(self) -> bool:
        """Whether it says that it is running, and nobody holds its lock."""
        said = self.summary.manifest.get("status")
        return self.summary.status is RunStatus.FAILED and said == RunStatus.RUNNING

    @property
    def seconds_left(self) -> float | None:
        """Of the steps that are left, as fast as the last ones were."""
        pace = self.figures.seconds_a_step
        left = self.summary.planned_steps - self.steps
        return None if pace is None or left <= 0 else pace * left

    @property
    def phase(self) -> str:
        """What it is about, as far as its logs tell."""
        evaluated = {one.when for one in self.figures.evaluations}
        if self.is_search:
            return "searching"
        if not evaluated and not self.figures.steps:
            return "evaluating before the training"
        if self.steps < self.summary.planned_steps:
            return "training"
        return "saving" if "after" in evaluated else "evaluating after the training"


class ReadRun:
    """Reads one run, and reads it on.

    Args:
        run: see ``RunStore.find``.

    Raises:
        DataError: D030 when there is none.
    """

    def __init__(self, runs: RunStore, live: LiveRuns, run: str) -> None:
        self._runs = runs
        self._live = live
        self._path = runs.find(run).path
        self._logs = live.logs(self._path)
        self._figures = RunFigures()

    def __call__(self) -> RunView:
        """As it is now.

        Raises:
            DataError: D030 when it was removed. StorageError: I003 when a log cannot be read.
        """
        # First of all the status: what is written before a run ends is not missed.
        summary = self._runs.find(self._path)
        found = self._logs.news()
        if found.anew:
            self._figures = RunFigures()
        news: deque[tuple[str, Mapping[str, Any]]] = deque(maxlen=_MOST_NEWS)
        for log, line in found.lines:
            self._figures.add(log, line)
            if log in _ORDER:
                news.append((log, line))
        if summary.manifest.get("algorithm") == "apo":
            self._figures = self._searched(summary)
        ordered = tuple(sorted(news, key=_by_step))
        return RunView(summary, self._figures, self._logs.quiet(), ordered, found.anew)

    def _searched(self, summary: RunSummary) -> RunFigures:
        figures = RunFigures()
        for score in best_so_far(self._live.tried(summary.path)):
            figures.add_best(score)
        return figures


def _by_step(news: tuple[str, Mapping[str, Any]]) -> tuple[float, int]:
    log, line = news
    step = line.get("step")
    return (float(step) if isinstance(step, int) and abs(step) < 1 << 53 else 0.0), _ORDER[log]
