"""Functions of ours on text nobody has read, each call in a process that is held by the kernel."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from ...domain.code_tests import Grade, Limits
from ...domain.ports.run import Stop
from .children import Child
from .inside.frames import TooLong
from .pool import Pool
from .tiers import choose
from .verdicts import lost, of_ending, out_of_time
from .warden import Warden, WardenLost

_LIMITS = Limits()


class SandboxedFunctions:
    """Calls by warm interpreters that fork, which have imported the function's module.

    Args:
        tier: see ``LocalSandbox``.
        workers: calls at a time; None: as many as there are cores.
        stop: whether a person asked to; calls are then given up.
    """

    def __init__(self, tier: str = "auto", workers: int | None = None, stop: Stop | None = None) -> None:
        self._wanted = tier
        self._check = stop.check if stop else lambda: None
        self._workers = workers or os.cpu_count() or 1
        self._pools: dict[str, Pool] = {}

    def call(
        self, function: str, arguments: Sequence[Sequence[Any]], limits: Limits = _LIMITS
    ) -> list[Any | Grade]:
        """See the port."""
        module = function.partition(":")[0]
        if module not in self._pools:
            self._pools[module] = Pool(choose(self._wanted).name, self._workers, self._check, module)
        jobs = [({"function": function, "arguments": list(one)}, limits) for one in arguments]
        return self._pools[module].map(_called, jobs, lost)

    def close(self) -> None:
        """See the port."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()


def _called(warden: Warden, job: tuple[Any, Limits]) -> Any | Grade:
    request, limits = job
    deadline = time.monotonic() + limits.wall
    with Child(warden, "call", [], limits.memory, limits.cpu, deadline, limits.output) as child:
        try:
            child.start(request)
            answer = child.receive()
        except TimeoutError:
            return out_of_time(limits)
        except (EOFError, ConnectionError, TooLong, ValueError):
            return of_ending(child.ending(), limits, 0, 1)
    if "value" in answer:
        return answer["value"]
    # The function is ours: what it raises is a fault of it, and no verdict.
    return lost(WardenLost(f"{request['function']} raises {answer.get('raised')}"))
