"""What the wiring pins of a memory's parts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cesello.application.ask import Ask
from cesello.application.keep_index import KeepIndex
from cesello.entrypoints.memory_wiring import retrieve_context
from cesello.entrypoints.settings.memory_settings import MemorySettings
from tests.fakes.memory import FakeEmbedder, FakeVectorStore
from tests.fakes.run import RecordingObserver
from tests.grounded import cake_memory


def pinned(folder: Path, **reranker: Any) -> str:
    store, embedder = cake_memory(), FakeEmbedder()
    ask = Ask(embedder, None, store, KeepIndex(store, FakeVectorStore, "i", 1_000, RecordingObserver()))
    settings = MemorySettings().model_dump()
    settings["reranker"] |= {"model": str(folder), **reranker}
    return retrieve_context(ask, store, embedder, settings, folder).pin.identity


def test_a_reranker_in_a_folder_is_pinned_by_its_files(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"one")
    (tmp_path / "config.json").write_text("{}")
    before = pinned(tmp_path)
    os.utime(weights, (1, 1))
    assert pinned(tmp_path) == before
    weights.write_bytes(b"two")
    other = pinned(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    assert len({before, other, pinned(tmp_path)}) == 3


def test_where_nothing_reranks_no_file_counts(tmp_path: Path) -> None:
    before = pinned(tmp_path, engine="none")
    (tmp_path / "model.safetensors").write_bytes(b"one")
    assert pinned(tmp_path, engine="none") == before
