"""List runs with the curve that matters of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..domain.curve import Curve
from ..domain.ports.live_runs import LiveRuns
from ..domain.ports.run import RunStore
from ..domain.run import RunSummary
from ..domain.run_figures import BEST, FINE_TUNED, REWARDED, FigureKind, best_so_far, number

_LINES = 64
"""Of a log that are read for its curve: it is a few signs wide."""


@dataclass(frozen=True, slots=True)
class Glimpse:
    """The figure of a run that matters, from some of its steps.

    Attributes:
        step: the last that was logged.
    """

    kind: FigureKind
    curve: Curve
    step: int = 0


class ListRuns:
    """Chooses among all runs."""

    def __init__(self, runs: RunStore, live: LiveRuns) -> None:
        self._runs = runs
        self._live = live

    def __call__(
        self, *, status: Collection[str] = (), name: str | None = None, limit: int | None = None
    ) -> Sequence[RunSummary]:
        """Newest first.

        Args:
            status: one of these; all where there are none.
            name: a pattern of shells, as ``quickstart*``, that the name or the id is like.
            limit: so many at most.
        """
        found = [
            run
            for run in self._runs.list()
            if (not status or run.status in status)
            and (name is None or fnmatchcase(run.name, name) or fnmatchcase(run.id, name))
        ]
        return found[:limit]

    def glimpse(self, run: RunSummary) -> Glimpse | None:
        """None where there is nothing to see yet."""
        if run.manifest.get("algorithm") == "apo":
            scores = best_so_far(self._live.tried(run.path))
            return Glimpse(BEST, Curve(scores)) if scores else None
        lines = self._live.some(run.path, "metrics", _LINES)
        if not lines:
            return None
        kind = (REWARDED if any("reward" in line for line in lines) else FINE_TUNED)[0]
        step = number(lines[-1].get("step"))
        return Glimpse(kind, Curve(number(line.get(kind.key)) for line in lines), int(step or 0))
