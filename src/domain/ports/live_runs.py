"""How a run is read while another process may be writing it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..run_figures import TriedPrompt


@dataclass(frozen=True, slots=True)
class News:
    """What was written since it was last asked for.

    Attributes:
        anew: a log was cut back or written anew: what was read of all of them before is void, and the lines
            are those from their beginning.
        lines: (log, line) in the order of each log; to be gone through once, before the next news.
    """

    anew: bool
    lines: Iterator[tuple[str, Mapping[str, Any]]]


class LiveLogs(Protocol):
    """The logs of one run, from their beginning on."""

    def news(self) -> News:
        """Whole lines alone; one that is no JSON object is left out.

        Raises:
            StorageError: I003 when a log cannot be read.
        """
        ...

    def quiet(self) -> float | None:
        """Seconds since anything was written to them; None where there is none of them."""
        ...


class LiveRuns(Protocol):
    """Reads what runs have written. Nothing is locked, and nothing is written."""

    def logs(self, path: str) -> LiveLogs:
        """Of the run whose folder that is: metrics, timings, evaluations and alarms."""
        ...

    def some(self, path: str, log: str, count: int) -> Sequence[Mapping[str, Any]]:
        """About so many lines, evenly spread, the last one among them; all where there are fewer.

        It takes the same time however long the log is. Empty where it cannot be read.
        """
        ...

    def answers(self, path: str, when: str) -> Sequence[Mapping[str, Any]]:
        """The samples that were kept ``before`` or ``after`` the training; empty where there are none."""
        ...

    def scores(self, path: str, when: str) -> Sequence[Mapping[str, Any]]:
        """Those of all graded rows ``before`` or ``after`` the training; empty where they were not kept."""
        ...

    def tried(self, path: str) -> Sequence[TriedPrompt]:
        """Of a prompt search, in the order in which they were thought of; empty for other runs."""
        ...
