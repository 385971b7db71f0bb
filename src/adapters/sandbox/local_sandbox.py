"""Programs run on this machine, each in a process that is held by the kernel."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from ...domain.code_tests import Grade, Grading, SandboxTier
from ...domain.ports.run import Stop
from ...domain.reward import Verdict
from .called_programs import grade_called
from .pool import Pool
from .scripts import grade_exchanges
from .tiers import choose
from .verdicts import lost, out_of_time
from .warden import Warden


class LocalSandbox:
    """Grades by a pool of warm interpreters that fork, one for each core.

    Args:
        tier: ``auto`` takes the strongest whose self-test passes: ``landlock+bubblewrap``, ``landlock``,
            ``bubblewrap``. ``unsafe`` holds nothing back but time and memory, and is never taken by itself.
        workers: gradings at a time; None: as many as there are cores.
        stop: whether a person asked to; gradings are then given up.
    """

    def __init__(self, tier: str = "auto", workers: int | None = None, stop: Stop | None = None) -> None:
        self._wanted = tier
        self._check = stop.check if stop else _never
        self._lock = threading.Lock()
        self._workers = workers or os.cpu_count() or 1
        self._tier: SandboxTier | None = None
        self._pool: Pool | None = None

    @property
    def tier(self) -> SandboxTier:
        """See the port."""
        if self._tier is None:
            self._tier = choose(self._wanted)
        return self._tier

    def grade(self, gradings: Sequence[Grading]) -> list[Grade]:
        """See the port."""
        with self._lock:
            if self._pool is None:
                self._pool = Pool(self.tier.name, self._workers, self._check)
            pool = self._pool
        return pool.map(_graded, gradings, lost)

    def close(self) -> None:
        """See the port."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool:
            pool.close()


def _never() -> None:
    """Nobody asks to stop."""


def _graded(warden: Warden, grading: Grading) -> Grade:
    began = time.monotonic()
    deadline = began + grading.limits.wall
    if "\0" in grading.program:
        return Grade(Verdict.CRASH, 0, 1, "null_byte", "the program holds a null byte")
    by = grade_exchanges if grading.tests.exchanges else grade_called
    try:
        grade = by(warden, grading, deadline)
    except TimeoutError:
        grade = out_of_time(grading.limits)
    return replace(grade, seconds=time.monotonic() - began)
