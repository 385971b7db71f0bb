"""A log in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cesello.domain.ports.logs import LoggedRun


@dataclass
class FakeMetricsLog:
    """What was logged of one run.

    Attributes:
        rows: step and figures; handed to another log, they are what an earlier process left.
        begun: every run that was begun, and after which step.
        statuses: how each ended.
        broken: what every method raises, where it is not None.
    """

    rows: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    begun: list[tuple[LoggedRun, int]] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    broken: Exception | None = None

    def begin(self, run: LoggedRun, first_step: int) -> None:
        self._check()
        self.begun.append((run, first_step))
        self.rows[:] = [row for row in self.rows if run.resumed and row[0] <= first_step]

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        self._check()
        self.rows.append((step, dict(figures)))

    def end(self, status: str) -> None:
        self._check()
        self.statuses.append(status)

    def _check(self) -> None:
        if self.broken is not None:
            raise self.broken
