"""Reranking with a cross-encoder of sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from sentence_transformers import CrossEncoder

from ...domain.errors import ModelError
from ...domain.ports.hub import ModelFiles
from .sentence_transformer_embedder import encodable, explained, load_options


class CrossEncoderReranker:
    """Implements ``Reranker``. The model is loaded when it is first needed.

    The model's logit becomes a probability by the sigmoid. Query and text are read together up to the model's
    maximum, 512 tokens for ms-marco-MiniLM, and the longer one is cut first. Only safetensors are read, and
    no code of a model's repository is run.

    Args:
        name: on the hub, or a folder.
        files: where a name's files are.
    """

    def __init__(self, name: str, files: ModelFiles) -> None:
        self._name = name
        self._files = files

    def score(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        if not texts:
            return ()
        pairs = [(encodable(query), encodable(text)) for text in texts]
        return tuple(
            float(probability)
            for probability in self._model.predict(
                pairs, activation_fn=torch.nn.Sigmoid(), show_progress_bar=False
            )
        )

    @cached_property
    def _model(self) -> CrossEncoder:
        with explained(self._name):
            model: CrossEncoder = CrossEncoder(self._name, **load_options(self._name, self._files))
        _check_head(self._name, model)
        return model


def _check_head(name: str, model: CrossEncoder) -> None:
    """A model without a trained head gets a random one, and its scores would mean nothing."""
    architectures = (model.config and model.config.architectures) or []
    own_head = any(architecture.endswith("ForSequenceClassification") for architecture in architectures)
    scores_logits = len(model) > 1  # a language model that answers yes or no
    if model.num_labels != 1 or not (own_head or scores_logits):
        raise ModelError(
            "M030",
            "a model is not made to rerank",
            where=name,
            got=f"{', '.join(architectures) or 'no architecture'} with {model.num_labels} labels",
            expected="a sequence classifier with one label",
            fix="take a cross-encoder, for example cross-encoder/ms-marco-MiniLM-L-12-v2",
        )
