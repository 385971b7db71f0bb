"""Find what a training's question is answered by, the same each time while the memory stays as it is."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import asdict, replace
from hashlib import sha256

from ..domain.context import Context, fence_for, write_context
from ..domain.errors import DataError
from ..domain.memory_pin import FORM, MemoryPin
from ..domain.ports.chunk_store import ChunkStore
from ..domain.ports.memory import Embedder, Reranker
from .ask import Ask, AskRequest
from .remember import check_embedder

_KEPT = 256
"""Questions whose context is kept: a group of completions, or the arms of an ablation, ask the same again."""


class RetrieveContext:
    """Asks the memory, and writes what it found as a model reads it.

    Args:
        question: how it is asked, but for the question.
        tokens: that a context may have.
        reranker: that it is asked with, if any.
        shown: the memory's folder as messages name it.
    """

    def __init__(
        self,
        ask: Ask,
        chunks: ChunkStore,
        embedder: Embedder,
        question: AskRequest,
        tokens: int,
        reranker: Reranker | None,
        shown: str,
    ) -> None:
        self._ask = ask
        self._chunks = chunks
        self._embedder = embedder
        self._question = replace(question, question="", exact=True)
        self._tokens = tokens
        self._reranker = reranker
        self._shown = shown
        self._pin: MemoryPin | None = None
        self._identity = ""  # of the memory that the pin is of
        self._found: OrderedDict[str, Context] = OrderedDict()

    @property
    def pin(self) -> MemoryPin:
        """Of the memory as it was when this was first looked at.

        Raises:
            DataError: D073 when nothing is remembered. StoreError: S010, and those of the store. ModelError:
                the reranker is not here.
        """
        if self._pin is None:
            self._pin = self._pinned()
        return self._pin

    def __call__(self, question: str) -> Context:
        """What answers best, between two lines of its own; no passage is an answer too.

        Raises:
            DataError: D074 when the memory has changed since it was pinned.
            CeselloError: those of ``Ask``.
        """
        if question in self._found:
            self._found.move_to_end(question)
            return self._found[question]
        self._check_unchanged()
        passages = self._ask(replace(self._question, question=question)).passages
        self._check_unchanged()  # a generation never comes back: all was read of this one
        context = write_context(passages, fence_for(question, passages), self._tokens)
        self._found[question] = context
        if len(self._found) > _KEPT:
            self._found.popitem(last=False)
        return context

    def forget(self) -> None:
        """Searches anew for what was already asked; the same is found, as long as the memory is the same."""
        self._found.clear()

    def _check_unchanged(self) -> None:
        pin, state = self.pin, self._chunks.state()
        same = state.identity == self._identity  # one that took its place may be as old
        if not same or state.revision != pin.generation:
            raise DataError(
                "D074",
                "the memory was changed while it is being trained with",
                where=self._shown,
                got=f"generation {state.revision}{'' if same else ' of another memory'}",
                expected=f"generation {pin.generation}",
                fix="begin a new run, or bring the memory back and go on with --resume",
            )

    def _pinned(self) -> MemoryPin:
        with self._chunks.reading():
            state, files = self._chunks.state(), self._chunks.files()
        if not state.texts:
            raise DataError(
                "D073",
                "nothing is remembered that a prompt could be given",
                where=self._shown,
                fix="cesello remember PATH, or set memory.folder",
            )
        check_embedder(self._embedder, state)
        judge = self._reranker and self._reranker.fingerprint
        parts = [
            FORM, asdict(self._question), self._tokens, judge, state.fingerprint, state.chunker,
            sorted([mark.path, mark.digest] for mark in files.values()),
        ]  # fmt: skip
        self._identity = state.identity
        digest = sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]
        return MemoryPin(state.revision, state.files, digest)
