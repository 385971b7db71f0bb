"""Embeddings by ONNX Runtime, the fastest on a processor."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding

from ...domain.ports.hub import ModelFiles
from ...domain.retrieval import Embedding
from .model_folder import describe, explained
from .onnx_files import OnnxFiles, not_for_onnx
from .onnx_session import OnnxSession
from .sentence_layout import SentenceLayout, sentence_layout
from .text_tokens import TextTokens, folder_tokens, overlong

_OUTPUTS = ("last_hidden_state", "token_embeddings")


class OnnxEmbedder:
    """Implements ``Embedder``. The model is loaded when it is first needed.

    BERT and its kin are made of their safetensors; of other models the file ``onnx/model.onnx`` is taken. In
    ``float32`` the vectors of the first are those of sentence-transformers to five digits, and have the same
    fingerprint. In ``int8`` they have a cosine of 0.996 with those, and take two thirds of the time.

    Args:
        name: on the hub, or a folder.
        files: where a name's files are.
        kept: the folder for ONNX files that are made here.
        precision: ``float32`` or ``int8``.
        query_prefix: what stands before a question; None for what the model's own configuration says.
        document_prefix: the same for what is to be found.
        threads: how many texts are read at a time; None for ``OMP_NUM_THREADS``, or one a processor.
    """

    def __init__(
        self,
        name: str,
        files: ModelFiles,
        kept: Path,
        *,
        precision: str = "float32",
        query_prefix: str | None = None,
        document_prefix: str | None = None,
        threads: int | None = None,
    ) -> None:
        self._name = name
        self._onnx = OnnxFiles(name, files, kept, precision)
        self._prefixes = (query_prefix, document_prefix)
        self._threads = threads
        self._overlong = 0

    @property
    def fingerprint(self) -> str:
        """See the port."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        layout = self._layout
        with explained(self._name):
            return describe(
                self._name,
                self._onnx.print,
                dimension=self.dimension,
                pooling=layout.pooling,
                tokens=layout.tokens,
                precision=self._onnx.precision,
                prefixes=(self._query_prefix, self._document_prefix),
            )

    @property
    def dimension(self) -> int:
        with explained(self._name):
            return int(self._onnx.config["hidden_size"])

    @property
    def maximum_tokens(self) -> int:
        """How much of a text is read, the model's own marks included."""
        return self._layout.tokens

    @property
    def overlong(self) -> int:
        return self._overlong

    def embed(self, texts: Sequence[str]) -> tuple[Embedding, ...]:
        if not texts:
            return ()
        encodings = self._tokens.read([self._document_prefix + text for text in texts])
        self._overlong += overlong(encodings)
        return tuple(self._vectors(encodings).tolist())

    def embed_query(self, query: str) -> Embedding:
        vector: list[float] = self._vectors(self._tokens.read([self._query_prefix + query]))[0].tolist()
        return vector

    def _vectors(self, encodings: Sequence[Encoding]) -> NDArray[np.float32]:
        """Vectors of length 1, shape (texts, dimension)."""
        hidden = self._session.run(encodings)
        first = self._layout.pooling == "cls"
        pooled = np.stack([one[0] if first else one.mean(axis=0) for one in hidden])
        vectors: NDArray[np.float32] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return vectors

    @cached_property
    def _query_prefix(self) -> str:
        return self._layout.prefix(self._prefixes[0], ("query",))

    @cached_property
    def _document_prefix(self) -> str:
        return self._layout.prefix(self._prefixes[1], ("document", "passage", "corpus"))

    @cached_property
    def _layout(self) -> SentenceLayout:
        with explained(self._name):
            layout = sentence_layout(self._onnx.folder, self._onnx.config)
            if isinstance(layout, str):
                raise not_for_onnx(
                    self._name, layout, "a transformer whose tokens are averaged, or the first"
                )
        return layout

    @cached_property
    def _tokens(self) -> TextTokens:
        with explained(self._name):
            return folder_tokens(self._onnx.folder, self.maximum_tokens)

    @cached_property
    def _session(self) -> OnnxSession:
        with explained(self._name):
            return OnnxSession(self._onnx.content(), _OUTPUTS, self._threads)
