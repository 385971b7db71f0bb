"""A memory and another embedder than the one that made it: whatever is changed of a model, it is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cesello.adapters.memory.model_folder import folder_print
from cesello.adapters.memory.onnx_embedder import OnnxEmbedder
from cesello.adapters.memory.sqlite_chunk_store import SqliteChunkStore
from cesello.adapters.memory.words_embedder import WordsEmbedder
from cesello.adapters.model.hub_cache import HubCache
from cesello.application.ask import Ask, AskRequest
from cesello.application.keep_index import KeepIndex
from cesello.application.rebuild_memory import RebuildMemory
from cesello.application.remember import Remember, RememberRequest
from cesello.domain.errors import StoreError
from cesello.domain.ports.chunk_store import ChunkStore
from cesello.domain.ports.memory import Embedder
from tests.fakes.chunk_store import FakeTree
from tests.fakes.memory import FakeVectorStore
from tests.fakes.run import FakeStop, RecordingObserver
from tests.remembered import remember_with
from tests.tiny_embedder import make_tiny_embedder, save_weights

QUESTION = AskRequest("apples and pears")


def edit(folder: Path, name: str, **changes: Any) -> None:
    """Changes values of a file of JSON."""
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def tokenize_otherwise(folder: Path) -> None:
    edit(folder, "tokenizer.json", normalizer={"type": "Lowercase"})


CHANGES: dict[str, Callable[[Path], Any]] = {
    "name": lambda folder: {"name": str(folder.rename(folder.with_name("other")))},
    "weights": lambda folder: save_weights(folder, seed=1),
    "tokenizer": tokenize_otherwise,
    "config": lambda folder: edit(folder, "config.json", num_attention_heads=2),
    "pooling": lambda folder: edit(
        folder, "1_Pooling/config.json", pooling_mode_mean_tokens=False, pooling_mode_cls_token=True
    ),
    "tokens": lambda folder: edit(folder, "sentence_bert_config.json", max_seq_length=16),
    "query": lambda folder: {"query_prefix": "query: "},
    "document": lambda folder: {"document_prefix": "passage: "},
    "precision": lambda folder: {"precision": "int8"},
    "reads": lambda folder: {"reads": "words"},
}
"""What is done to a model's folder, or said otherwise when it is loaded."""


def embedder(folder: Path, *, reads: str = "code", **options: Any) -> Embedder:
    made = OnnxEmbedder(
        options.pop("name", str(folder)), HubCache(None), folder.parent / "kept", threads=1, **options
    )
    return made if reads == "code" else WordsEmbedder(made)


def remember(chunks: ChunkStore, made: Embedder) -> Remember:
    tree = FakeTree()
    tree.write("a.py", "def apples(): ...\n")
    tree.write("b.py", "def pears(): ...\n")
    return remember_with(tree, chunks, FakeVectorStore(), embedder=made)


def index_of(chunks: ChunkStore) -> KeepIndex:
    return KeepIndex(chunks, FakeVectorStore, "index", 1_000, RecordingObserver())


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_another_embedder_is_refused_until_the_memory_is_rebuilt(
    tmp_path: Path, change: Callable[[Path], Any]
) -> None:
    folder, chunks = make_tiny_embedder(tmp_path / "model"), SqliteChunkStore(tmp_path / "memory")
    before = embedder(folder)
    remember(chunks, before)(RememberRequest((".",)))
    assert Ask(embedder(folder), None, chunks, index_of(chunks))(QUESTION).passages
    state, vectors = chunks.state(), dict(chunks.vectors())
    after = embedder(folder, **(change(folder) or {}))
    ask = Ask(after, None, chunks, index_of(chunks))
    for use in (lambda: ask(QUESTION), lambda: remember(chunks, after)(RememberRequest())):
        with pytest.raises(StoreError) as refused:
            use()
        assert refused.value.code == "S010"
        assert "`cesello memory rebuild`" in (refused.value.fix or "")
        assert refused.value.got != refused.value.expected
    assert (chunks.state(), dict(chunks.vectors())) == (state, vectors)
    RebuildMemory(after, chunks, index_of(chunks), RecordingObserver(), FakeStop())()
    assert ask(QUESTION).passages
    assert remember(chunks, after)(RememberRequest()).unchanged == 2
    chunks.close()


@pytest.mark.parametrize(
    ("name", "decides"),
    [
        ("2_Dense/config.json", True),
        ("tokenizer_config.json", True),
        ("more.safetensors", True),
        ("README.md", False),
        ("config_sentence_transformers.json", False),
        ("vocab.txt", False),
        ("onnx/config.json", False),
    ],
)
def test_only_what_decides_vectors_is_in_the_fingerprint(tmp_path: Path, name: str, decides: bool) -> None:
    folder = make_tiny_embedder(tmp_path / "model")
    before = folder_print(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("{}")
    assert (folder_print(folder) != before) is decides


@pytest.mark.parametrize("name", ["vocab.txt", "spiece.model", "merges.txt"])
def test_without_tokenizer_json_the_tokenizer_is_what_it_is_made_of(tmp_path: Path, name: str) -> None:
    folder = make_tiny_embedder(tmp_path / "model")
    (folder / "tokenizer.json").unlink()
    prints = []
    for content in ("one\n", "other\n"):
        (folder / name).write_text(content)
        prints.append(folder_print(folder))
    assert prints[0] != prints[1]
