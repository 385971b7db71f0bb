"""The same step in smaller forward passes, where the memory does not suffice for those that were asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from ...domain.checkpoint import Checkpoint
from ...domain.errors import ModelError
from ...domain.schedule import SPLITS, MicroBatch, StepBatch
from . import workers
from .no_memory import give_back, tried


class PassSplitter:
    """Halves forward passes; the rows of a step and its loss stay the same.

    Attributes:
        splits: how often they were halved so far; at most ``SPLITS`` times.
    """

    def __init__(self, start: Checkpoint | None) -> None:
        self.splits = int(start.state.optimizer.get("splits", 0)) if start else 0

    def passes(self, step_batch: StepBatch, at_least: int = 1) -> list[MicroBatch]:
        """The forward passes of a step.

        Args:
            at_least: so many, for as many processes, where there are rows enough.
        """
        passes = [part for rows in step_batch for part in _cut(rows, 2**self.splits)]
        while len(passes) < at_least and any(len(rows) > 1 for rows in passes):
            passes = [part for rows in passes for part in _cut(rows, 2)]
        return passes

    def run(
        self, accumulate: Callable[[], torch.Tensor], step_batch: StepBatch, optimizer: Any, *, alone: bool
    ) -> torch.Tensor:
        """Runs a step's passes, and once more with passes of half the rows as often as memory runs out.

        Args:
            alone: no forward pass waits for another process's; where all compute together, one that has no
                memory left cannot begin anew.

        Raises:
            ModelError: M021 when passes cannot be halved any more.
        """
        while True:
            totals, reason = tried(accumulate)
            if reason and not alone:
                raise self._no_memory(step_batch, reason)
            # All processes cut a step alike, or rows would be counted twice or not at all.
            if not workers.any_is(bool(reason)):
                assert totals is not None
                return totals
            optimizer.zero_grad()
            give_back()
            self._halve(step_batch, reason or "no memory in another process")

    def _halve(self, step_batch: StepBatch, reason: str) -> None:
        longest = max(map(len, self.passes(step_batch)))
        if self.splits == SPLITS or longest == 1:
            raise self._no_memory(step_batch, reason)
        self.splits += 1

    def _no_memory(self, step_batch: StepBatch, reason: str) -> ModelError:
        tokens = max(len(row) for rows in step_batch for row in rows)
        longest = max(map(len, self.passes(step_batch)))
        return ModelError(
            "M021",
            "the memory does not suffice for a step",
            where=f"passes of {longest} rows, the longest of {tokens} tokens",
            got=reason,
            fix="set training.gradient_checkpointing to true or lower data.max_tokens; "
            "`cesello plan` shows what takes how much",
        )


def _cut(rows: MicroBatch, parts: int) -> Iterator[MicroBatch]:
    """Rows in that many parts of like size, or one part a row."""
    size = -(-len(rows) // parts)
    for at in range(0, len(rows), size):
        yield rows[at : at + size]
