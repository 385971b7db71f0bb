"""Work that waits for a network, done beside the training."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Sender(Generic[Item]):
    """Sends items one after another in a thread of its own, which does not keep the process alive.

    Args:
        send: sends one item.
    """

    def __init__(self, send: Callable[[Item], object]) -> None:
        self._send = send
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self._failure: Exception | None = None
        self._thread = Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Leaves an item to be sent.

        Raises:
            Exception: what an earlier item met.
        """
        self._raise_failure()
        self._queue.put(item)

    def close(self, seconds: float) -> None:
        """Waits until all is sent.

        Raises:
            TimeoutError: when that takes longer. Exception: what an item met.
        """
        self._queue.put(None)
        self._thread.join(seconds)
        if self._thread.is_alive():
            raise TimeoutError(f"not all figures were sent within {seconds:g} seconds")
        self._raise_failure()

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                self._send(item)
            except Exception as failure:
                self._failure = failure
                return

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
