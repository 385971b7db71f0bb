"""SIGINT and SIGTERM ask long work to stop at a safe point; the second one ends the process at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ..domain.errors import Interrupted

GRACE = 25.0
"""Seconds from the first signal until the process ends whatever it does; what stops machines waits for 30."""


_ECHO = 5.0
"""Seconds within which a second signal of a launcher is that of the person, once more."""


class SignalStop:
    """Remembers the signal that asked this process to stop.

    Args:
        grace: seconds that are left to save what is there.
        shared: other processes share the work, and must know of a signal before anyone acts on it.
    """

    def __init__(self, grace: float = GRACE, *, shared: bool = False) -> None:
        self._heard: int | None = None
        self._requested: int | None = None
        self._shared = shared
        self._grace = grace
        self._timer: threading.Timer | None = None
        self._heard_at = 0.0

    @property
    def requested(self) -> int | None:
        return self._requested

    @property
    def heard(self) -> int | None:
        return self._heard

    def agree(self, number: int | None) -> None:
        self._requested = number

    def check(self) -> None:
        if self._requested is not None:
            name = signal.Signals(self._requested).name
            raise Interrupted(self._requested, f"stopped by {name}", fix="run the command again")

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """The handler."""
        now = time.monotonic()
        if self._heard is not None:
            # torchrun passes on what the terminal has sent to all processes already.
            if self._shared and now - self._heard_at < _ECHO:
                return
            os._exit(128 + number)
        self._heard, self._heard_at = number, now
        if not self._shared:
            self._requested = number
        self._timer = threading.Timer(self._grace, os._exit, [128 + number])
        self._timer.daemon = True
        self._timer.start()

    def forget(self) -> None:
        """The work has ended, in time."""
        if self._timer is not None:
            self._timer.cancel()


@contextmanager
def listening(stop: SignalStop) -> Iterator[SignalStop]:
    """Within this, signals go to ``stop``; afterwards to whom they went before."""
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        stop.forget()
        for number, handler in before.items():
            signal.signal(number, handler)
