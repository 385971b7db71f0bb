"""Follow a run while another process trains it, until it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..domain.ports.live_runs import LiveRuns
from ..domain.ports.run import RunStore
from ..domain.run import RunStatus
from .read_run import ReadRun, RunView


class FollowRun:
    """Looks again and again.

    Args:
        wait: returns when it is time for another look.
    """

    def __init__(self, runs: RunStore, live: LiveRuns, wait: Callable[[], None]) -> None:
        self._runs = runs
        self._live = live
        self._wait = wait

    def __call__(self, run: str, *, once: bool = False) -> Iterator[RunView]:
        """A view a look, the last one of a run that has ended: completed, interrupted, failed or killed.

        Args:
            once: one look is enough.

        Raises:
            DataError: D030 when there is no such run, or not any more. StorageError: I003.
        """
        look = ReadRun(self._runs, self._live, run)
        while True:
            view = look()
            yield view
            if once or view.summary.status is not RunStatus.RUNNING:
                return
            self._wait()
