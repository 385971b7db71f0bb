"""Reranking with a cross-encoder of sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from sentence_transformers import CrossEncoder

from ...domain.ports.hub import ModelFiles
from .model_folder import encodable, explained, model_folder, read_print
from .reranked_pairs import READ_TOKENS, check_head
from .sentence_transformer_embedder import load_options


class CrossEncoderReranker:
    """Implements ``Reranker``. The model is loaded when it is first needed.

    The model's logit becomes a probability by the sigmoid. Of query and text together, the longer one is cut
    first. Only safetensors are read, and no code of a model's repository is run.

    Args:
        name: on the hub, or a folder.
        files: where a name's files are.
        tokens: how many of query and text together are read; ms-marco-MiniLM takes up to 512.
    """

    def __init__(self, name: str, files: ModelFiles, *, tokens: int = READ_TOKENS) -> None:
        self._name = name
        self._files = files
        self._tokens = tokens

    @property
    def fingerprint(self) -> str:
        """See the port."""
        with explained(self._name):
            files = read_print(model_folder(self._name, self._files))
        return f"cross-encoder files={files} tokens={self._tokens}"

    def score(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        if not texts:
            return ()
        pairs = [(encodable(query), encodable(text)) for text in texts]
        scores = self._model.predict(pairs, activation_fn=torch.nn.Sigmoid(), show_progress_bar=False)
        return tuple(map(float, scores))

    @cached_property
    def _model(self) -> CrossEncoder:
        with explained(self._name):
            model: CrossEncoder = CrossEncoder(self._name, **load_options(self._name, self._files))
            model.max_seq_length = min(self._tokens, model.max_seq_length or self._tokens)
        architectures = (model.config and model.config.architectures) or []
        check_head(self._name, architectures, model.num_labels, other_head=len(model) > 1)
        return model
