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
            # One that was begun is ended, or begun again for this embedder.
            if embed or state.rebuilding or (state.fingerprint and state.fingerprint != fingerprint):
                count = self._embedded(fingerprint, state.texts, state.rebuilding)
            count += self._mended()
            self._chunks.rewrite_words()
            self._keep_index(anew=True)
            return count

    def _mended(self) -> int:
        """Embeds texts that have no vector, as after damage."""
        lacking = self._chunks.without_vector({key for key, _ in self._chunks.all_chunks()})
        texts = {key: embedding_text(chunk) for key, chunk in self._chunks.all_chunks() if key in lacking}
        keys = sorted(texts, key=lambda key: len(texts[key]))
        for start in range(0, len(keys), _TOGETHER):
            self._stop.check()
            part = keys[start : start + _TOGETHER]
            vectors = self._embedder.embed([texts[key] for key in part])
            self._chunks.put([], dict(zip(part, vectors, strict=True)))
        return len(keys)

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
