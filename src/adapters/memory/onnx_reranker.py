"""Reranking with a cross-encoder by ONNX Runtime, the fastest on a processor."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from ...domain.ports.hub import ModelFiles
from .model_folder import explained, read_print
from .onnx_files import OnnxFiles
from .onnx_session import OnnxSession
from .reranked_pairs import READ_TOKENS, check_head
from .text_tokens import TextTokens, folder_tokens


class OnnxReranker:
    """Implements ``Reranker``. The model is loaded when it is first needed.

    Scores as ``CrossEncoderReranker`` does, to four digits in ``float32``; ``int8`` takes less than half the
    time.

    Args:
        name: on the hub, or a folder.
        files: where a name's files are.
        kept: the folder for ONNX files that are made here.
        precision: ``float32`` or ``int8``.
        tokens: how many of query and text together are read.
        threads: how many texts are read at a time; None for ``OMP_NUM_THREADS``, or one a processor.
    """

    def __init__(
        self,
        name: str,
        files: ModelFiles,
        kept: Path,
        *,
        precision: str = "float32",
        tokens: int = READ_TOKENS,
        threads: int | None = None,
    ) -> None:
        self._name = name
        self._onnx = OnnxFiles(name, files, kept, precision, scores=True)
        self._tokens = tokens
        self._threads = threads

    @property
    def fingerprint(self) -> str:
        """See the port."""
        with explained(self._name):
            files = read_print(self._onnx.folder)
            of = f"files={files} {self._onnx.print}"
        return f"onnx {of} tokens={self._tokens} precision={self._onnx.precision}"

    def score(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        if not texts:
            return ()
        logits = self._session.run(self._reader.read_pairs(query, texts))
        with np.errstate(over="ignore"):
            return tuple(float(1 / (1 + np.exp(-logit[0]))) for logit in logits)

    @cached_property
    def _reader(self) -> TextTokens:
        with explained(self._name):
            positions = int(self._onnx.config.get("max_position_embeddings") or self._tokens)
            return folder_tokens(self._onnx.folder, min(self._tokens, positions))

    @cached_property
    def _session(self) -> OnnxSession:
        with explained(self._name):
            config = self._onnx.config
            labels = len(config.get("id2label") or ()) or int(config.get("num_labels") or 2)
            check_head(self._name, config.get("architectures") or [], labels)
            return OnnxSession(self._onnx.content(), ("logits",), self._threads)
