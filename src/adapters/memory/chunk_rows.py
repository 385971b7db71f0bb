"""Chunks, paths and vectors as values of tables, and back."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from ...domain.document import Chunk
from ...domain.search_words import search_words
from .chunk_tables import FILE, damaged
from .exact_search import Matrix, as_rows

_OWN = ("start", "end", "start_line", "end_line", "language", "kind")
_BODY = tuple(field.name for field in fields(Chunk) if field.name not in ("path", *_OWN))

COLUMNS = 'chunks.start, chunks."end", chunks.start_line, chunks.end_line, chunks.language, chunks.kind, body'
"""What ``chunk_from`` reads, after the path."""


def row_of(chunk: Chunk) -> tuple[Any, ...]:
    """The values of ``COLUMNS``."""
    body = {name: getattr(chunk, name) for name in _BODY}
    return (*(getattr(chunk, name) for name in _OWN), _as_json(body))


def _as_json(body: Mapping[str, Any]) -> str:
    written = json.dumps(body, ensure_ascii=False)
    try:
        written.encode()
    except UnicodeEncodeError:  # half a pair of surrogates, as a notebook may escape one
        return json.dumps(body)
    return written


def chunk_from(path: Any, row: Sequence[Any]) -> Chunk:
    """The chunk of a row.

    Raises:
        StoreError: S012.
    """
    *own, body = row
    try:
        return Chunk(path=read_path(path), **dict(zip(_OWN, own, strict=True)), **json.loads(body))
    except (TypeError, ValueError) as cause:
        raise damaged(Path(FILE), cause) from cause


def words_of(chunk: Chunk) -> tuple[str, str, str]:
    """The words of name, path and text, as the full-text index has them."""
    texts = (chunk.name, chunk.path, f"{chunk.description}\n{chunk.header}\n{chunk.text}")
    name, path, text = (" ".join(search_words(text)) for text in texts)
    return name, path, text


def written_path(path: str) -> str | bytes:
    """A path as SQLite takes it: a name that is no text is kept as its bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def read_path(stored: str | bytes) -> str:
    """A path as it was.

    Raises:
        StoreError: S012.
    """
    try:
        return os.fsdecode(stored)
    except (TypeError, ValueError) as cause:
        raise damaged(Path(FILE), cause) from cause


def rows_of(blobs: Sequence[bytes], dimension: int) -> Matrix:
    """Stored vectors as a matrix, shape (len(blobs), dimension).

    Raises:
        StoreError: S012.
    """
    try:
        return as_rows(blobs, dimension)
    except (TypeError, ValueError) as cause:
        raise damaged(Path(FILE), cause) from cause
