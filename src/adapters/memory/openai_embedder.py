"""Embeddings of a server that speaks OpenAI's ``/v1/embeddings``: vLLM, llama.cpp, Ollama, OpenAI itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...domain.retrieval import Embedding, unit_vector
from .embedding_server import EmbeddingServer, TooMuch
from .model_folder import describe, encodable

_TEXTS = 64
_CHARACTERS = 100_000
"""What a request holds at most."""

_SHORTEST = 100
"""A text of no more characters is not too long for any model."""


class OpenAiEmbedder:
    """Implements ``Embedder``. The server is asked when it is first needed.

    A text that the server refuses is cut to half, until it is taken, and counted in ``overlong``. A text
    without a letter is sent as a full stop, because servers refuse empty ones.

    Args:
        url: without ``/embeddings``, such as ``http://localhost:8000/v1``.
        model: its name there.
        api_key_env: the environment variable that holds the key.
        dimension: how many numbers a vector shall have, for models that can give fewer; None for all.
        query_prefix: what stands before a question, such as ``"query: "``; None for nothing.
        document_prefix: the same for what is to be found.
        workers: requests at a time.
        pause: what waits some seconds before a busy server is asked again.

    Raises:
        UsageError: C088 when the url is not http or https, or a key would go over the network in the clear.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key_env: str | None = None,
        dimension: int | None = None,
        query_prefix: str | None = None,
        document_prefix: str | None = None,
        workers: int = 4,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._server = EmbeddingServer(url, api_key_env=api_key_env, pause=pause)
        self._model = model
        self._asked = dimension
        self._prefixes = (query_prefix or "", document_prefix or "")
        self._workers = workers
        self._found: tuple[int, str] | None = None
        self._overlong = 0

    @property
    def fingerprint(self) -> str:
        """See the port. Weights and tokenizer are known to the server alone; it says which model it used."""
        dimension, served = self._facts()
        return describe(
            self._model,
            f"served={served or 'unknown'}",
            dimension=dimension,
            pooling="server",
            tokens="server",
            precision="server",
            prefixes=self._prefixes,
        )

    @property
    def dimension(self) -> int:
        return self._facts()[0]

    @property
    def overlong(self) -> int:
        return self._overlong

    def embed(self, texts: Sequence[str]) -> tuple[Embedding, ...]:
        prefix = self._prefixes[1]
        with ThreadPoolExecutor(self._workers) as pool:
            answers = list(pool.map(self._embedded, _batches([_sendable(prefix, text) for text in texts])))
        self._overlong += sum(cut for _, cut in answers)
        return tuple(vector for vectors, _ in answers for vector in vectors)

    def embed_query(self, query: str) -> Embedding:
        return self._embedded([_sendable(self._prefixes[0], query)])[0][0]

    def _facts(self) -> tuple[int, str]:
        """The dimension, and the model as the server names it."""
        if self._found is None:
            self.embed_query("dimension")
            assert self._found is not None
        return self._found

    def _embedded(self, texts: Sequence[str]) -> tuple[list[Embedding], int]:
        """Vectors of length 1, and how many texts were cut."""
        try:
            return self._answered(texts), 0
        except TooMuch as refused:
            if len(texts) > 1:
                half = len(texts) // 2
                (first, cut), (second, more) = self._embedded(texts[:half]), self._embedded(texts[half:])
                return first + second, cut + more
            if len(texts[0]) <= _SHORTEST:
                raise self._server.refused(refused.status) from None
        vectors, _ = self._embedded([texts[0][: len(texts[0]) // 2]])
        return vectors, 1

    def _answered(self, texts: Sequence[str]) -> list[Embedding]:
        body: dict[str, Any] = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        if self._asked:
            body["dimensions"] = self._asked
        vectors, served = self._server.ask(body, len(texts))
        dimension = len(vectors[0])
        if self._found is None:
            self._found = (self._asked or dimension, served)
        for vector in vectors:
            if (len(vector), served) != self._found:
                got, expected = (
                    (f"{size} numbers of {name}") for size, name in ((len(vector), served), self._found)
                )
                raise self._server.wrong(got, expected)
        return [unit_vector(vector) for vector in vectors]


def _sendable(prefix: str, text: str) -> str:
    return encodable(prefix + (text if text.strip() else "."))


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        if batch and (len(batch) == _TEXTS or size + len(text) > _CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        yield batch
