"""What the wiring pins of a memory's parts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cesello.adapters.model.hub_cache import HubCache
from cesello.application.ask import Ask
from cesello.application.keep_index import KeepIndex
from cesello.domain.errors import ModelError
from cesello.entrypoints.memory_wiring import reranker, retrieve_context
from cesello.entrypoints.settings.memory_settings import MemorySettings
from tests.fakes.memory import FakeEmbedder, FakeVectorStore
from tests.fakes.run import RecordingObserver
from tests.grounded import cake_memory


def pinned(folder: Path, engine: str = "onnx", model: str = "", hub: Path | None = None) -> str:
    store, embedder = cake_memory(), FakeEmbedder()
    settings = MemorySettings().model_dump()
    settings["reranker"] |= {"engine": engine, "model": model or str(folder)}
    judge = reranker(settings["reranker"], HubCache(hub), folder)
    ask = Ask(embedder, judge, store, KeepIndex(store, FakeVectorStore, "i", 1_000, RecordingObserver()))
    return retrieve_context(ask, store, embedder, judge, settings, folder).pin.identity


def write_model(folder: Path, weights: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "config.json").write_text('{"model_type": "bert", "hidden_act": "gelu"}')
    return folder


def test_a_reranker_in_a_folder_is_pinned_by_its_files(tmp_path: Path) -> None:
    before = pinned(write_model(tmp_path, b"one"))
    os.utime(tmp_path / "model.safetensors", (1, 1))
    assert pinned(tmp_path) == before
    (tmp_path / "README.md").write_text("what it is")
    assert pinned(tmp_path) == before
    other = pinned(write_model(tmp_path, b"two"))
    (tmp_path / "config.json").write_text('{"model_type": "roberta", "hidden_act": "gelu"}')
    assert len({before, other, pinned(tmp_path)}) == 3


def test_a_reranker_of_the_hub_is_pinned_by_its_files(tmp_path: Path) -> None:
    """The same name is another model once its repository has another revision."""
    repository = tmp_path / "hub" / "models--org--judge"

    def at(revision: str, weights: bytes) -> str:
        write_model(repository / "snapshots" / revision, weights)
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / "main").write_text(revision)
        return pinned(tmp_path, model="org/judge", hub=tmp_path / "hub")

    first = at("a" * 40, b"one")
    assert at("b" * 40, b"two") != first
    assert at("c" * 40, b"one") == first


def test_a_reranker_that_is_not_here_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="M001"):
        pinned(tmp_path, model=str(tmp_path / "missing"))


def test_where_nothing_reranks_no_file_counts(tmp_path: Path) -> None:
    before = pinned(tmp_path, "none")
    (tmp_path / "model.safetensors").write_bytes(b"one")
    assert pinned(tmp_path, "none") == before
