"""Children of a warden, with the connections on which they are given their jobs."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from .inside.frames import Frames
from .warden import Ending, Warden, WardenLost

_GRACE = 0.5
"""Seconds in which a process ends that has closed its connection."""


class Child:
    """A process that is held, and waits for its job; it is reaped at the end of the ``with``.

    Args:
        kind: see ``Warden.fork``.
        given: further descriptors for it; they are closed here.
        deadline: by the monotonic clock, for all that is received from it.
        longest: bytes of a message from it.
    """

    def __init__(
        self,
        warden: Warden,
        kind: str,
        given: Sequence[socket.socket],
        memory: int,
        cpu: int,
        deadline: float,
        longest: int,
    ) -> None:
        self._warden = warden
        self._deadline = deadline
        self._ending: Ending | None = None
        self.connection, far = socket.socketpair()
        try:
            self._pid = warden.fork(kind, [far, *given], memory, cpu)
        except BaseException:
            self.connection.close()
            raise
        finally:
            for end in (far, *given):
                end.close()
        self._frames = Frames(self.connection, longest)

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, cause: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None or not issubclass(kind, WardenLost):
                self.ending(grace=0)
        finally:
            self.connection.close()

    def start(self, job: Any) -> None:
        """Gives it the job, once it has said that it is held.

        Raises:
            WardenLost: it is not.
            TimeoutError: the deadline is over.
        """
        try:
            said = self.receive()
            if said.get("ready") is not True:
                raise WardenLost(f"the process cannot be held: {said.get('why')}")
            self.connection.settimeout(self._left())
            self._frames.send(job)
        except (EOFError, ValueError, AttributeError, BrokenPipeError, ConnectionError) as cause:
            raise WardenLost("the process ended before it was given anything") from cause

    def receive(self) -> Any:
        """The next message.

        Raises:
            TimeoutError: the deadline is over.
            EOFError, ConnectionError: it has ended.
            TooLong, ValueError: what it sends is no message.
        """
        self.connection.settimeout(self._left())
        return self._frames.receive()

    def ending(self, grace: float = _GRACE) -> Ending:
        """How it ended; it is killed if it has not."""
        if self._ending is None:
            self._ending = self._warden.reap(self._pid, grace)
        return self._ending

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def described(ending: Ending) -> str:
    """For a person: the signal or the exit status."""
    if ending.status < 0:
        return f"ended by {signal.Signals(-ending.status).name}"
    return f"ended with status {ending.status}"
