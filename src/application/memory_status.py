"""Say what a memory holds, and whether its index can be asked."""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.ports.chunk_store import ChunkStore
from ..domain.remembered import IndexFinding, MemoryState
from .keep_index import KeepIndex


@dataclass(frozen=True, slots=True)
class MemoryStanding:
    """A memory at one moment.

    Attributes:
        files: the paths of all files, as the memory names them, sorted.
    """

    state: MemoryState
    files: tuple[str, ...]
    index: IndexFinding


class MemoryStatus:
    """Looks, and loads no model."""

    def __init__(self, chunks: ChunkStore, keep_index: KeepIndex) -> None:
        self._chunks = chunks
        self._keep_index = keep_index

    def __call__(self) -> MemoryStanding:
        """What there is; an empty memory is an answer too.

        Raises:
            StoreError: those of the chunk store. An index that gives no answer is told in the answer.
        """
        with self._chunks.reading():
            return MemoryStanding(
                self._chunks.state(), tuple(self._chunks.files()), self._keep_index.finding()
            )
