"""Forget files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..domain.errors import DataError
from ..domain.ports.chunk_store import ChunkStore
from ..domain.remembered import Selection, is_under
from .keep_index import KeepIndex


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was forgotten.

    Attributes:
        files: how many.
        under: what is still remembered and had some of them: the next ``remember`` brings those back.
        elsewhere: kinds of indexes that are not in use now, and have vectors of them perhaps.
    """

    files: int
    under: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


class Forget:
    """Takes files out of a memory, with all that was made of them."""

    def __init__(self, chunks: ChunkStore, keep_index: KeepIndex) -> None:
        self._chunks = chunks
        self._keep_index = keep_index

    def __call__(self, paths: Sequence[str], *, everything: bool = False) -> Forgotten:
        """Forgets files, and what was asked to be remembered; the files themselves are left as they are.

        Args:
            paths: files, folders or patterns, as the memory names them.

        Raises:
            DataError: D041 when a path is of nothing that is remembered. RetryableError: T083.
        """
        if paths and not (self._chunks.files() or self._chunks.state().roots):
            raise _unknown(paths[0])  # before a writer makes a memory here
        with self._chunks.writer():
            files, roots = list(self._chunks.files()), self._chunks.state().roots
            chosen = set((*files, *roots) if everything else ())
            for path in paths:
                fitting = set(filter(Selection((path,)).fits_path, (*files, *roots)))
                if not fitting:
                    raise _unknown(path)
                chosen |= fitting
            gone = sorted(chosen.intersection(files))
            staying = [root for root in roots if root not in chosen]
            self._chunks.set_roots(staying)
            count = self._chunks.forget(gone)
            self._chunks.tidy(spare=0)
            self._keep_index()
            under = tuple(root for root in staying if any(is_under(path, root) for path in gone))
            return Forgotten(count, under, self._keep_index.discard_others())


def _unknown(path: str) -> DataError:
    return DataError(
        "D041",
        "nothing of that name is remembered",
        where=path,
        fix="`cesello memory status --files` lists what is",
    )
