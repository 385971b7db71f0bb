"""Where the figures of a training go while it runs, so that a person can watch and compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """The run that is logged.

    Attributes:
        id: of its own in a project; the same when a run is gone on with.
        folder: the run's own, where a log that lives in files writes them.
        settings: plain values by dotted name.
        resumed: the run was begun by another process, and logged until who knows where.
    """

    id: str
    name: str
    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    resumed: bool = False


class MetricsLog(Protocol):
    """One place that figures go to, a file or a service.

    Making one touches neither the disk nor the network. Its methods may raise whatever its library raises:
    a training goes through ``SeveralLogs``, which says so once and goes on without the log that failed.
    """

    def begin(self, run: LoggedRun, first_step: int) -> None:
        """Opens the log after ``first_step`` steps.

        Of a resumed run, what was logged for a later step is there once when those steps are logged again:
        taken away here, or not taken twice.
        """
        ...

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Adds the figures of a step, by names like ``train/loss``; steps do not go back."""
        ...

    def end(self, status: str) -> None:
        """Brings all to where it belongs and closes; ``status`` is a RunStatus that a run can end with."""
        ...
