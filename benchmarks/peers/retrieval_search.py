"""Search by vectors and by words, and reranking; what models said is kept, so that a rerun takes seconds."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.retrieval_units import Unit, words
from cesello.adapters.memory.model_folder import model_folder
from cesello.adapters.memory.onnx_embedder import OnnxEmbedder
from cesello.adapters.memory.onnx_reranker import OnnxReranker
from cesello.adapters.memory.text_tokens import folder_tokens
from cesello.adapters.model.hub_cache import HubCache
from cesello.domain.chunk_text import code_words
from cesello.domain.fusion import looks_like_code
from cesello.entrypoints.settings.memory_settings import known

BUILD = Path(__file__).resolve().parents[2] / "build" / "retrieval"
HUB = HubCache(Path.home() / ".cache/cesello/hub")
EMBEDDER = "sentence-transformers/all-MiniLM-L6-v2"
RERANKER = "cross-encoder/ms-marco-MiniLM-L-12-v2"
BATCH = 64
POOL = 50
NAME, PATH, TEXT = 4.0, 1.0, 1.0
"""Weights of the fields of the full-text index."""

Vectors = NDArray[np.float32]


class Kept:
    """Values by text, on disk."""

    def __init__(self, name: str) -> None:
        BUILD.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(BUILD / f"{name}.sqlite", timeout=60)
        self._file.execute("CREATE TABLE IF NOT EXISTS v(h TEXT PRIMARY KEY, b BLOB)")

    def get(self, texts: Sequence[str]) -> dict[str, bytes]:
        keys = {key_of(text): text for text in texts}
        found: dict[str, bytes] = {}
        for batch in batches(list(keys), 500):
            marks = ",".join("?" * len(batch))
            rows = self._file.execute(f"SELECT h, b FROM v WHERE h IN ({marks})", batch)
            found.update({keys[key]: value for key, value in rows})
        return found

    def put(self, values: Mapping[str, bytes]) -> None:
        with self._file:
            rows = [(key_of(text), value) for text, value in values.items()]
            self._file.executemany("INSERT OR REPLACE INTO v VALUES (?, ?)", rows)


def key_of(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def batches(values: Sequence[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(values), size):
        yield list(values[start : start + size])


class Embeddings:
    """Vectors of length 1, by MiniLM where nothing else is said, as the product makes them."""

    def __init__(self, precision: str = "float32", model: str = EMBEDDER) -> None:
        self._kept = Kept(f"vectors-{precision}" + ("" if model == EMBEDDER else f"-{Path(model).name}"))
        self._embedder = OnnxEmbedder(model, HUB, BUILD / "onnx", precision=precision, threads=1)
        self._tokens = folder_tokens(model_folder(model, HUB), self._embedder.maximum_tokens)
        self._query = known(model).query_prefix or ""
        self.read: Callable[[str], str] = code_words if known(model).reads == "words" else str
        self.floor = known(model).floor

    def asked(self, questions: Sequence[str]) -> Vectors:
        read = [self.read(question) if looks_like_code(question) else question for question in questions]
        return self([self._query + question for question in read])

    def __call__(self, texts: Sequence[str]) -> Vectors:
        known = self._kept.get(texts)
        missing = sorted({text for text in texts if text not in known}, key=len, reverse=True)
        for batch in batches(missing, BATCH):
            made = np.asarray(self._embedder.embed(batch), dtype=np.float32)
            new = {text: vector.tobytes() for text, vector in zip(batch, made, strict=True)}
            self._kept.put(new)
            known |= new
        return np.stack([np.frombuffer(known[text], np.float32) for text in texts])

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens that are read of each."""
        return [len(encoding) for encoding in self._tokens.read(texts)]


class Judge:
    """Probabilities of the reranker."""

    def __init__(self, precision: str = "int8") -> None:
        self._kept = Kept(f"judged-{precision}")
        self._reranker = OnnxReranker(RERANKER, HUB, BUILD / "onnx", precision=precision, threads=1)

    def __call__(self, question: str, texts: Sequence[str]) -> list[float]:
        pairs = {text: f"{question}\0{text}" for text in texts}
        known = self._kept.get(list(pairs.values()))
        missing = [text for text, pair in pairs.items() if pair not in known]
        scores = self._reranker.score(question, missing)
        new = {pairs[text]: np.float64(score).tobytes() for text, score in zip(missing, scores, strict=True)}
        self._kept.put(new)
        known |= new
        return [float(np.frombuffer(known[pairs[text]], np.float64)[0]) for text in texts]


class Words:
    """BM25 as SQLite's FTS5 computes it, in the product's table."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self._index = sqlite3.connect(":memory:")
        self._index.execute("CREATE VIRTUAL TABLE words USING fts5(name, path, text)")
        rows = ((number, *map(words, unit.fields)) for number, unit in enumerate(units))
        self._index.executemany("INSERT INTO words(rowid, name, path, text) VALUES (?, ?, ?, ?)", rows)
        self._found: dict[str, list[tuple[int, float]]] = {}

    def __call__(
        self, expression: str, weights: tuple[float, float, float] = (NAME, PATH, TEXT), pool: int = POOL
    ) -> dict[int, float]:
        """Unit numbers with their scores, best first."""
        if not expression:
            return {}
        score = f"bm25(words, {', '.join(map(str, weights))})"
        query = f"SELECT rowid, -{score} FROM words WHERE words MATCH ? ORDER BY {score} LIMIT ?"
        key = f"{score} {pool} {expression}"
        if key not in self._found:
            self._found[key] = self._index.execute(query, (expression, pool)).fetchall()
        return dict(self._found[key])


def nearest(cosines: Vectors, pool: int = POOL) -> dict[int, float]:
    """Unit numbers with their cosines, best first."""
    best = np.argsort(-cosines, kind="stable")[:pool]
    return {int(number): float(cosines[number]) for number in best}
