"""Embeddings of any model that sentence-transformers loads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from typing import Any

import torch
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer

from ...domain.errors import ModelError
from ...domain.ports.hub import ModelFiles
from ...domain.retrieval import Embedding


class SentenceTransformerEmbedder:
    """Implements ``Embedder``. The model is loaded when it is first needed.

    A text above ``maximum_tokens`` is cut there, silently: all-MiniLM-L6-v2 reads 256 tokens, two of them
    marks of its own. Text never becomes a special token. Only safetensors are read, and no code of a model's
    repository is run.

    Args:
        name: on the hub, or a folder.
        files: where a name's files are.
    """

    def __init__(self, name: str, files: ModelFiles) -> None:
        self._name = name
        self._files = files

    @property
    def fingerprint(self) -> str:
        """See the port."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        """Name, hash of the weights, dimension, pooling, tokens that are read, and length of the vectors."""
        weights = sha256()
        for name, tensor in sorted(self._model.state_dict().items()):
            weights.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            weights.update(tensor.cpu().contiguous().view(torch.uint8).numpy().data)
        poolings = [str(part.pooling_mode) for part in self._model if hasattr(part, "pooling_mode")]
        return (
            f"{self._name} weights={weights.hexdigest()[:16]} dimension={self.dimension}"
            f" pooling={'+'.join(poolings)} tokens={self.maximum_tokens} length=1"
        )

    @property
    def dimension(self) -> int:
        return int(self._model.get_embedding_dimension() or 0)

    @property
    def maximum_tokens(self) -> int:
        """How much of a text is read, the model's own marks included."""
        return int(self._model.max_seq_length or 0)

    def embed(self, texts: Sequence[str]) -> tuple[Embedding, ...]:
        if not texts:
            return ()
        vectors = self._model.encode(
            [encodable(text) for text in texts], normalize_embeddings=True, show_progress_bar=False
        )
        return tuple(vector.tolist() for vector in vectors)

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


def encodable(text: str) -> str:
    """The text without halves of surrogate pairs, which names of files may bring and no tokenizer takes."""
    return text.encode("utf-8", "replace").decode()


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Says in cesello's words why a model cannot be loaded."""
    try:
        yield
    except OSError as cause:
        raise ModelError(
            "M001",
            f'the model "{name}" is not here and cannot be fetched',
            got=_first_line(cause),
            fix="run `cesello kit install` for the offline models, correct the name, or reach the hub",
        ) from cause
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as cause:
        raise ModelError(
            "M002",
            "a model cannot be loaded",
            where=name,
            got=_first_line(cause),
            expected="config.json and complete safetensors of an architecture that transformers knows",
            fix="check the model's files, or take another model",
        ) from cause


def _first_line(cause: Exception) -> str:
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0][:200]
