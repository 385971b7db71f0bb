"""Work that is done in smaller parts where the memory does not suffice for it whole."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import torch

from ...domain.errors import ModelError

Made = TypeVar("Made")

_NO_MEMORY = re.compile(
    "can't allocate memory|not enough memory|out of memory|CUBLAS_STATUS_ALLOC_FAILED", re.IGNORECASE
)


def tried(work: Callable[[], Made]) -> tuple[Made | None, str]:
    """What work came to, or why there was no memory for it.

    When this returns, the frames have gone that held the tensors of what failed.
    """
    try:
        return work(), ""
    except (MemoryError, RuntimeError) as failure:
        if not (isinstance(failure, MemoryError) or _NO_MEMORY.search(str(failure))):
            raise
        return None, str(failure).partition("\n")[0] or "no memory"


def give_back() -> None:
    """What is no longer used, to the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


class Halving:
    """Halves the parts of some work as often as memory runs out, which changes nothing but last digits.

    Args:
        what: is done, for the message, and ``fix`` what would need less memory.

    Attributes:
        most: the size that memory sufficed for, once it did not; 0 before that.
    """

    def __init__(self, what: str, fix: str) -> None:
        self._what, self._fix = what, fix
        self.most = 0

    def run(self, work: Callable[[int], Made], most: int) -> Made:
        """Works in parts of at most ``most``, or of what is left of that.

        Raises:
            ModelError: M021 when parts cannot be halved any more.
        """
        while True:
            size = min(most, self.most or most)
            made, reason = tried(partial(work, size))
            if not reason:
                assert made is not None
                return made
            give_back()
            if size == 1:
                raise ModelError(
                    "M021",
                    "the memory does not suffice for a step",
                    where=self._what,
                    got=reason,
                    fix=self._fix,
                )
            self.most = size // 2
