"""Vectors that were made once, kept by the hash of their text."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from ...domain.errors import CeselloError
from ...domain.ports.memory import Embedder
from ...domain.retrieval import Embedding
from .learnt_database import opened

_FORM = 1
_TABLES = "CREATE TABLE vector (key BLOB PRIMARY KEY, numbers BLOB NOT NULL) STRICT"
_AT_ONCE = 500


class CachedEmbedder:
    """Implements ``Embedder``. Where the file cannot be used, all is embedded every time.

    Args:
        embedder: is asked for what is not kept.
    """

    def __init__(self, embedder: Embedder, file: Path) -> None:
        self._embedder = embedder
        self._file = file

    @property
    def fingerprint(self) -> str:
        """See the port."""
        return self._embedder.fingerprint

    @property
    def dimension(self) -> int:
        """See the port."""
        return self._embedder.dimension

    @property
    def overlong(self) -> int:
        """See the port."""
        return self._embedder.overlong

    def embed_query(self, query: str) -> Embedding:
        """See the port: nobody asks the same twice."""
        return self._embedder.embed_query(query)

    def embed(self, texts: Sequence[str]) -> tuple[Embedding, ...]:
        """See the port."""
        keys = {text: self._key(text) for text in texts}
        kept: dict[bytes, Embedding] = {}
        with suppress(CeselloError):
            kept = self._kept(list(keys.values()))
        missing = [text for text, key in keys.items() if key not in kept]
        if missing:
            made = dict(zip(missing, self._embedder.embed(missing), strict=True))
            fresh = {keys[text]: vector for text, vector in made.items()}
            with suppress(CeselloError):
                self._keep(fresh)
            kept |= fresh
        return tuple(kept[keys[text]] for text in texts)

    def _key(self, text: str) -> bytes:
        return sha256(f"{self.fingerprint}\n{text}".encode("utf-8", "surrogatepass")).digest()

    def _kept(self, keys: Sequence[bytes]) -> dict[bytes, Embedding]:
        if not self._file.exists():
            return {}
        found: dict[bytes, Embedding] = {}
        with opened(self._file, _TABLES, _FORM) as connection:
            for at in range(0, len(keys), _AT_ONCE):
                found |= self._read(connection, keys[at : at + _AT_ONCE])
        return found

    def _read(self, connection: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, Embedding]:
        marks = ", ".join("?" * len(keys))
        rows = connection.execute(f"SELECT key, numbers FROM vector WHERE key IN ({marks})", keys).fetchall()
        vectors = {bytes(key): array("f", bytes(numbers)).tolist() for key, numbers in rows}
        return {key: vector for key, vector in vectors.items() if len(vector) == self.dimension}

    def _keep(self, vectors: dict[bytes, Embedding]) -> None:
        rows = [(key, array("f", vector).tobytes()) for key, vector in vectors.items()]
        with opened(self._file, _TABLES, _FORM) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR REPLACE INTO vector VALUES (?, ?)", rows)
            connection.execute("COMMIT")
