"""The steps of a training that are still to be done, each read when its turn comes."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

from torch.utils.data import Dataset

from ...domain.schedule import StepBatch


class StepsLeft(Dataset[StepBatch]):
    """From ``first`` on."""

    def __init__(self, batches: Sequence[StepBatch], first: int) -> None:
        self._batches = batches
        self._first = first

    def __len__(self) -> int:
        return len(self._batches) - self._first

    def __getitem__(self, index: int) -> StepBatch:
        return self._batches[self._first + index]

    def fingerprint(self) -> int:
        """Of the tokens of the next step."""
        ids = b"".join(row.ids.tobytes() for rows in self[0] for row in rows) if len(self) else b""
        return crc32(ids)
