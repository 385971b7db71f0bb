"""Embeddings of any model that sentence-transformers loads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

from ...domain.ports.hub import ModelFiles
from ...domain.retrieval import Embedding
from .model_folder import describe, encodable, explained, folder_print, model_folder
from .text_tokens import TextTokens, overlong

_TOKENS = {"cpu": 2_048}
_TOKENS_ELSEWHERE = 32_768
"""How many tokens a batch has, by device: a processor gains nothing by more, and what is filled up costs."""

_UNLIMITED = 10**9
"""Tokenizers that do not know their model's maximum name an astronomic one."""


class SentenceTransformerEmbedder:
    """Implements ``Embedder``. The model is loaded when it is first needed.

    all-MiniLM-L6-v2 reads 256 tokens, two of them marks of its own; a longer text is cut there, and counted.
    Text never becomes a special token. Only safetensors are read, and no code of a model's repository is run.

    Args:
        name: on the hub, or a folder.
        files: where a name's files are.
        query_prefix: what stands before a question, such as ``"query: "``; None for what the model's own
            configuration says.
        document_prefix: the same for what is to be found.
    """

    def __init__(
        self,
        name: str,
        files: ModelFiles,
        *,
        query_prefix: str | None = None,
        document_prefix: str | None = None,
    ) -> None:
        self._name = name
        self._files = files
        self._prefixes = (query_prefix, document_prefix)
        self._overlong = 0

    @property
    def fingerprint(self) -> str:
        """See the port; the same as ONNX Runtime's in float32, whose vectors are the same."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        poolings = [str(part.pooling_mode) for part in self._model if hasattr(part, "pooling_mode")]
        with explained(self._name):
            return describe(
                self._name,
                folder_print(model_folder(self._name, self._files)),
                dimension=self.dimension,
                pooling="+".join(poolings),
                tokens=self.maximum_tokens,
                precision=str(self._model.dtype).removeprefix("torch."),
                prefixes=(self._query_prefix, self._document_prefix),
            )

    @property
    def dimension(self) -> int:
        return int(self._model.get_embedding_dimension() or 0)

    @property
    def maximum_tokens(self) -> int:
        """How much of a text is read, the model's own marks included."""
        return int(self._model.max_seq_length or 0)

    @property
    def overlong(self) -> int:
        return self._overlong

    def embed(self, texts: Sequence[str]) -> tuple[Embedding, ...]:
        if not texts:
            return ()
        clean = [encodable(text) for text in texts]
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for batch in self._batches(self._lengths(clean)):
            vectors[batch] = self._encoded([clean[place] for place in batch], self._document_prefix)
        return tuple(vectors.tolist())

    def embed_query(self, query: str) -> Embedding:
        vector: list[float] = self._encoded([encodable(query)], self._query_prefix)[0].tolist()
        return vector

    def _encoded(self, texts: Sequence[str], prefix: str) -> NDArray[np.float32]:
        """Vectors of length 1, shape (texts, dimension)."""
        return self._model.encode(
            list(texts),
            prompt=prefix,
            batch_size=len(texts),
            normalize_embeddings=True,
            show_progress_bar=False,
        )

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens are read of each text; characters where they cannot be counted."""
        if self._tokens is None:
            return [len(text) for text in texts]
        encodings = self._tokens.read([self._document_prefix + text for text in texts])
        self._overlong += overlong(encodings)
        return [len(encoding) for encoding in encodings]

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Places of texts of about one length, so that little is filled up."""
        most = _TOKENS.get(self._model.device.type, _TOKENS_ELSEWHERE)
        batch: list[int] = []
        for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
            if batch and (len(batch) + 1) * lengths[batch[0]] > most:
                yield batch
                batch = []
            batch.append(place)
        yield batch

    @cached_property
    def _tokens(self) -> TextTokens | None:
        """None for a model whose tokens cannot be counted."""
        tokenizer = getattr(self._model.tokenizer, "backend_tokenizer", None)
        if not isinstance(tokenizer, Tokenizer) or not 0 < self.maximum_tokens < _UNLIMITED:
            return None
        return TextTokens(tokenizer, self.maximum_tokens)

    @cached_property
    def _query_prefix(self) -> str:
        return self._prefix(self._prefixes[0], ("query",))

    @cached_property
    def _document_prefix(self) -> str:
        return self._prefix(self._prefixes[1], ("document", "passage", "corpus"))

    def _prefix(self, chosen: str | None, names: Sequence[str]) -> str:
        own = (self._model.prompts or {}).get
        return chosen if chosen is not None else next((text for name in names if (text := own(name))), "")

    @cached_property
    def _model(self) -> SentenceTransformer:
        with explained(self._name):
            return SentenceTransformer(self._name, **load_options(self._name, self._files))


def load_options(name: str, files: ModelFiles) -> dict[str, Any]:
    """How sentence-transformers loads a model, whichever kind it is."""
    place = files.arguments(name)
    return {
        "cache_folder": place.get("cache_dir"),
        "local_files_only": bool(place.get("local_files_only")),
        "trust_remote_code": False,
        "model_kwargs": {"use_safetensors": True, "adapter_kwargs": place},
        "processor_kwargs": {"split_special_tokens": True},
    }
