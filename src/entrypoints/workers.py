"""The processes that share a training, as torchrun numbers them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..domain.errors import Interrupted


def is_follower() -> bool:
    """Whether another process writes the run and talks to the person."""
    return os.environ.get("RANK", "0") != "0"


def is_alone() -> bool:
    """Whether nothing is shared."""
    return processes() == 1


def processes() -> int:
    """How many share the work."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def ending_together(leave: Callable[[], None]) -> Iterator[None]:
    """Processes wait for each other at the end; one that fails ends at once, and torchrun stops the others.

    Args:
        leave: waits for the others.
    """
    if is_alone():
        yield
        return
    try:
        yield
    except Interrupted:
        leave()
        raise
    leave()
