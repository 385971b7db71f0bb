"""Make a memory's vectors and its index again out of its texts."""

from __future__ import annotations

from ..domain.chunk_text import embedding_text
from ..domain.ports.chunk_store import ChunkStore
from ..domain.ports.memory import Embedder
from ..domain.ports.run import Observer, Stop
from ..domain.retrieval import is_unit
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

        What was embedded when it is stopped or killed is there the next time. With another embedder than
        that one, as when the memory's own is set again, it is given up.

        Args:
            embed: embed everything again, even if the embedder is the same.

        Raises:
            RetryableError: T083. CeselloError: those of the embedder.
        """
        if not self._chunks.state().fingerprint:
            return 0
        with self._chunks.writer():
            state, fingerprint = self._chunks.state(), self._embedder.fingerprint
            begun = self._begun(fingerprint) if state.rebuilding else 0
            if begun < state.rebuilding:
                self._observer.note(
                    f"{state.rebuilding} vectors that another embedder began with are dropped"
                )
            count = 0
            if embed or begun or state.fingerprint != fingerprint:
                count = self._embedded(fingerprint, state.texts)
            count += self._mended()
            self._chunks.rewrite_words()
            self._keep_index(anew=True)
            return count

    def _begun(self, fingerprint: str) -> int:
        """How many vectors of a rebuild that was stopped this embedder has made; those of others go."""
        with self._chunks.renewal(fingerprint):
            return self._chunks.state().rebuilding

    def _mended(self) -> int:
        """Embeds texts that have no vector, or one that cannot be theirs, as after damage."""
        lacking = self._chunks.without_vector({key for key, _ in self._chunks.all_chunks()})
        lacking |= {key for key, vector in self._chunks.vectors() if not is_unit(vector)}
        texts = {key: embedding_text(chunk) for key, chunk in self._chunks.all_chunks() if key in lacking}
        keys = sorted(texts, key=lambda key: len(texts[key]))
        for start in range(0, len(keys), _TOGETHER):
            self._stop.check()
            part = keys[start : start + _TOGETHER]
            vectors = self._embedder.embed([texts[key] for key in part])
            self._chunks.put([], dict(zip(part, vectors, strict=True)))
        return len(keys)

    def _embedded(self, fingerprint: str, texts: int) -> int:
        count = 0
        with self._chunks.renewal(fingerprint) as renewal:
            self._observer.phase("embedding", texts, self._chunks.state().rebuilding)
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
