"""Forget files."""

from __future__ import annotations

from collections.abc import Sequence

from ..domain.errors import DataError
from ..domain.ports.chunk_store import ChunkStore
from ..domain.remembered import Selection
from .keep_index import KeepIndex


class Forget:
    """Takes files out of a memory, with all that was made of them."""

    def __init__(self, chunks: ChunkStore, keep_index: KeepIndex) -> None:
        self._chunks = chunks
        self._keep_index = keep_index

    def __call__(self, paths: Sequence[str], *, everything: bool = False) -> int:
        """How many files were forgotten. The files themselves are left as they are.

        Args:
            paths: files, folders or patterns, as the memory names them.

        Raises:
            DataError: D041 when a path is of no remembered file. RetryableError: T083.
        """
        if paths and not self._chunks.files():  # before a writer makes a memory here
            raise _unknown(paths[0])
        with self._chunks.writer():
            files = list(self._chunks.files())
            chosen: set[str] = set(files) if everything else set()
            for path in paths:
                fitting = {file for file in files if Selection((path,)).fits_path(file)}
                if not fitting:
                    raise _unknown(path)
                chosen |= fitting
            roots = [root for root in self._chunks.state().roots if not _is_named(root, paths, everything)]
            self._chunks.set_roots(roots)
            count = self._chunks.forget(sorted(chosen))
            self._chunks.tidy(spare=0)
            self._keep_index()
            return count


def _is_named(root: str, paths: Sequence[str], everything: bool) -> bool:
    return everything or (bool(paths) and Selection(tuple(paths)).fits_path(root))


def _unknown(path: str) -> DataError:
    return DataError(
        "D041",
        "nothing of that name is remembered",
        where=path,
        fix="`cesello memory status --files` lists what is",
    )
