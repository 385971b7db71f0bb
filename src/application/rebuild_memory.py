"""Make a memory's vectors and its index again out of its texts."""

from __future__ import annotations

from ..domain.chunk_text import embedding_text
from ..domain.ports.chunk_store import ChunkStore
from ..domain.ports.memory import Embedder
from ..domain.ports.run import Observer, Stop
from .keep_index import KeepIndex

_TOGETHER = 64


class RebuildMemory:
    """Embeds with the embedder that is set now, where it is another one; and fills the index anew."""

    def __init__(
        self, embedder: Embedder, chunks: ChunkStore, keep_index: KeepIndex, observer: Observer, stop: Stop
    ) -> None:
        self._embedder = embedder
        self._chunks = chunks
        self._keep_index = keep_index
        self._observer = observer
        self._stop = stop

    def __call__(self, *, embed: bool = False) -> int:
        """How many texts were embedded. Questions are answered as before until the new vectors are all there.

        What was embedded when it is stopped or killed is there the next time.

        Args:
            embed: embed everything again, even if the embedder is the same.

        Raises:
            RetryableError: T083. CeselloError: those of the embedder.
        """
        if not self._chunks.state().fingerprint:
            return 0
        with self._chunks.writer():
            state, fingerprint = self._chunks.state(), self._embedder.fingerprint
            count = 0
            if embed or (state.fingerprint and state.fingerprint != fingerprint):
                count = self._embedded(fingerprint, state.texts, state.rebuilding)
            self._keep_index(anew=True)
            return count

    def _embedded(self, fingerprint: str, texts: int, done: int) -> int:
        count = 0
        with self._chunks.renewal(fingerprint) as renewal:
            self._observer.phase("embedding", texts, done)
            for batch in renewal.missing():
                pairs = sorted(((key, embedding_text(c)) for key, c in batch), key=lambda pair: len(pair[1]))
                for start in range(0, len(pairs), _TOGETHER):
                    self._stop.check()
                    part = pairs[start : start + _TOGETHER]
                    vectors = self._embedder.embed([text for _, text in part])
                    renewal.add({key: vector for (key, _), vector in zip(part, vectors, strict=True)})
                    self._observer.advance(len(part))
                    count += len(part)
            renewal.take_over()
        return count
