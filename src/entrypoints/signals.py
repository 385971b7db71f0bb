"""SIGINT and SIGTERM ask long work to stop at a safe point; the second one ends the process at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ..domain.errors import Interrupted


class SignalStop:
    """Remembers the signal that asked this process to stop."""

    def __init__(self) -> None:
        self._requested: int | None = None

    @property
    def requested(self) -> int | None:
        return self._requested

    def check(self) -> None:
        if self._requested is not None:
            name = signal.Signals(self._requested).name
            raise Interrupted(self._requested, f"stopped by {name}", fix="run the command again")

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """The handler."""
        if self._requested is not None:
            os._exit(128 + number)
        self._requested = number


@contextmanager
def listening(stop: SignalStop) -> Iterator[SignalStop]:
    """Within this, signals go to ``stop``; afterwards to whom they went before."""
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
