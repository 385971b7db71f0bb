"""What the wiring pins of a memory's parts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cesello.adapters.model.hub_cache import HubCache
from cesello.application.ask import Ask, AskRequest
from cesello.application.keep_index import KeepIndex
from cesello.domain.errors import ModelError
from cesello.entrypoints.memory_wiring import asking, code_embedder, embedder, reranker, retrieve_context
from cesello.entrypoints.settings.memory_settings import BGE_SMALL, EmbedderSettings, MemorySettings
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


def question(**embedder: object) -> AskRequest:
    settings = MemorySettings().model_dump()
    settings["embedder"] |= embedder
    return asking(settings)


def test_what_is_known_of_an_embedder_is_taken_where_nothing_is_said() -> None:
    assert (question().floor, question().relevant) == (0.0, 0.3)
    assert (question(model=BGE_SMALL).floor, question(model=BGE_SMALL).relevant) == (0.6, 0.62)
    assert (question(model="some/other").floor, question(model="some/other").relevant) == (0.0, None)
    assert question(model=BGE_SMALL, floor=0.0).floor == 0.0
    assert question(floor=0.25).floor == 0.25


@pytest.mark.parametrize(
    ("model", "said", "prefix"),
    [
        (BGE_SMALL, None, "Represent this sentence for searching relevant passages: "),
        (BGE_SMALL, "", ""),
        ("some/other", None, ""),
    ],
)
def test_a_question_has_the_prefix_of_the_model_card(
    tmp_path: Path, model: str, said: str | None, prefix: str
) -> None:
    repository = tmp_path / "hub" / f"models--{model.replace('/', '--')}"
    write_bert(repository / "snapshots" / ("a" * 40))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    settings = MemorySettings().embedder.model_dump() | {"model": model, "query_prefix": said}
    made = embedder(settings, HubCache(tmp_path / "hub"), tmp_path)
    assert made.fingerprint.endswith(f'query="{prefix}" document=""')


def write_bert(folder: Path) -> None:
    write_model(folder, b"weights")
    (folder / "config.json").write_text('{"model_type": "bert", "hidden_act": "gelu", "hidden_size": 8}')


@pytest.mark.parametrize(
    ("settings", "read"),
    [
        ({}, "def load File self"),
        ({"model": BGE_SMALL}, "def loadFile(self):"),
        ({"reads": "code"}, "def loadFile(self):"),
        ({"model": "org/for-code"}, "def loadFile(self):"),
        ({"model": "org/for-code", "reads": "words"}, "def load File self"),
    ],
)
def test_code_is_read_as_words_by_models_of_prose(settings: dict[str, str], read: str) -> None:
    inner = FakeEmbedder()
    made = code_embedder(inner, EmbedderSettings(**settings).model_dump())  # type: ignore[arg-type]
    made.embed(["def loadFile(self):"])
    assert [" ".join(text.split()) for text in inner.embedded] == [read]
    assert (made.fingerprint == inner.fingerprint) is (read == "def loadFile(self):")


@pytest.mark.parametrize(
    ("asked", "read"), [("loadFile", "load File"), ("who loads a_file?", "who loads a_file?")]
)
def test_a_question_that_is_code_is_read_as_words_too(asked: str, read: str) -> None:
    inner = FakeEmbedder()
    made = code_embedder(inner, EmbedderSettings().model_dump())
    assert made.embed_query(asked) == inner.embed_query(read)
