"""Several wardens, each used by one thread at a time; one that fails is replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from .held import Held
from .warden import Warden, WardenLost

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_PATIENCE = 0.25
"""Seconds between looks at whether to stop."""


class Pool:
    """Wardens are started when they are first needed.

    Args:
        tier: how their children are held.
        size: how many there are at most.
        check: raises when a person has asked to stop; asked while we wait.
        module: what they import for their children to call; then installed packages can be imported.
    """

    def __init__(self, tier: str, size: int, check: Callable[[], None], module: str | None = None) -> None:
        self._tier = tier
        self._check = check
        self._module = module
        self._idle: list[Warden] = []
        self._free = list(range(size))
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="sandbox")

    def map(
        self,
        act: Callable[[Warden, _Item], _Result],
        items: Sequence[_Item],
        lost: Callable[[WardenLost], _Result],
    ) -> list[_Result]:
        """What ``act`` gives for each item, in order; ``lost`` where the sandbox failed.

        Raises:
            Interrupted: a person asked to stop; what has not begun is left out.
        """
        futures = [self._threads.submit(self._one, act, item, lost) for item in items]
        try:
            left = set(futures)
            while left:
                left = wait(left, _PATIENCE).not_done
                self._check()
        except BaseException:
            for future in futures:
                future.cancel()
            raise
        return [future.result() for future in futures]

    def close(self) -> None:
        """Ends them all."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            idle, self._idle = self._idle, []
        for warden in idle:
            warden.close()

    def _one(
        self,
        act: Callable[[Warden, _Item], _Result],
        item: _Item,
        lost: Callable[[WardenLost], _Result],
    ) -> _Result:
        warden = None
        try:
            warden = self._taken()
            result = act(warden, item)
        except (WardenLost, OSError) as cause:
            if warden:
                self._dropped(warden)
            return lost(cause if isinstance(cause, WardenLost) else WardenLost(str(cause)))
        except BaseException:
            # Whatever it was, children may be left: they end with their zygote.
            if warden:
                self._dropped(warden)
            raise
        with self._lock:
            self._idle.append(warden)
        return result

    def _taken(self) -> Warden:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            slot = self._free.pop()
        try:
            return Warden(Held(self._tier, slot, packages=self._module is not None), self._module)
        except BaseException:
            with self._lock:
                self._free.append(slot)
            raise

    def _dropped(self, warden: Warden) -> None:
        warden.close()
        with self._lock:
            self._free.append(warden.slot)
