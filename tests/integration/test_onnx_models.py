"""Graphs made here against transformers, and where ONNX files come from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import external_data_helper
from safetensors.numpy import load_file
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

from cesello.adapters.memory.onnx_bert import bert_graph
from cesello.adapters.memory.onnx_embedder import OnnxEmbedder
from cesello.adapters.memory.onnx_session import OnnxSession, default_threads
from cesello.adapters.memory.sentence_transformer_embedder import SentenceTransformerEmbedder
from cesello.adapters.model.hub_cache import HubCache
from cesello.domain.errors import ModelError

NOWHERE = HubCache(None)
TEXTS = ["def read_lines(file):\n    return list(file)", "sort a list of numbers " * 60, ""]


@pytest.fixture(scope="module")
def minilm(kit_home: Path) -> Path:
    """The folder of the kit's embedder."""
    [found] = (kit_home / "hub" / "models--sentence-transformers--all-MiniLM-L6-v2" / "snapshots").iterdir()
    return found


@pytest.fixture
def folder(minilm: Path, tmp_path: Path) -> Path:
    """A small model with random weights in the layout of sentence-transformers, for a test to change."""
    made = tmp_path / "model"
    shutil.copytree(minilm, made, ignore=shutil.ignore_patterns("*.safetensors"))
    torch.manual_seed(0)
    AutoModel.from_config(tiny("bert")).save_pretrained(made)
    return made


def tiny(kind: str, **options: Any) -> Any:
    return AutoConfig.for_model(
        kind, vocab_size=30522, hidden_size=48, intermediate_size=96, num_hidden_layers=3,
        num_attention_heads=4, max_position_embeddings=300, initializer_range=0.3, **options
    )  # fmt: skip


def matrix(embedder: OnnxEmbedder | SentenceTransformerEmbedder) -> NDArray[np.float64]:
    return np.array(embedder.embed(TEXTS))


def refused(folder: Path, kept: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        OnnxEmbedder(str(folder), NOWHERE, kept).embed(TEXTS)
    return caught.value


@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta"])
def test_a_graph_computes_what_transformers_does(
    kind: str, scores: bool, minilm: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    config = tiny(kind, type_vocab_size=2, num_labels=1)
    kinds_of: Any = AutoModelForSequenceClassification if scores else AutoModel
    model = kinds_of.from_config(config).eval()
    model.save_pretrained(tmp_path)
    stored = json.loads((tmp_path / "config.json").read_text())
    graph = bert_graph(stored, load_file(tmp_path / "model.safetensors"), scores=scores)
    output = "logits" if scores else "last_hidden_state"
    session = OnnxSession(graph.SerializeToString(), (output,), 1)
    read = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    read.no_padding()
    for encoding in read.encode_batch([("read a file", "def f(): return 1"), ("sort", "x = 1 " * 40)]):
        ids, kinds = torch.tensor([encoding.ids]), torch.tensor([encoding.type_ids])
        with torch.no_grad():
            expected = model(input_ids=ids, token_type_ids=kinds)[output][0].numpy()
        [found] = session.run([encoding])
        assert found == pytest.approx(expected, abs=2e-5)
        assert np.abs(expected).max() > 0.05


@pytest.mark.parametrize("pooling", ["pooling_mode_cls_token", "pooling_mode_mean_tokens"])
def test_pooling_is_the_models(pooling: str, folder: Path, tmp_path: Path) -> None:
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": 48, pooling: True})
    )
    ours = OnnxEmbedder(str(folder), NOWHERE, tmp_path / "kept")
    theirs = SentenceTransformerEmbedder(str(folder), NOWHERE)
    assert ours.fingerprint == theirs.fingerprint
    assert matrix(ours) == pytest.approx(matrix(theirs), abs=1e-5)


@pytest.mark.parametrize(
    ("file", "content", "got"),
    [
        ("modules.json", '[{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}]', "Dense"),
        ("1_Pooling/config.json", '{"pooling_mode": "lasttoken"}', "lasttoken"),
        ("1_Pooling/config.json", '{"pooling_mode": ["cls", "max"]}', "cls+max"),
        ("sentence_bert_config.json", '{"do_lower_case": true}', "small letters"),
        ("config.json", '{"model_type": "mamba", "hidden_size": 8}', "mamba"),
        (
            "config.json",
            '{"model_type": "bert", "hidden_act": "relu", "hidden_size": 8}',
            "no onnx/model.onnx",
        ),
    ],
)
def test_what_cannot_be_made_is_refused(
    file: str, content: str, got: str, folder: Path, tmp_path: Path
) -> None:
    (folder / file).write_text(content)
    error = refused(folder, tmp_path / "kept")
    assert error.code == "M058"
    assert got in str(error)
    assert "sentence-transformers" in str(error.fix)
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("missing", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_folder_that_is_not_whole_is_refused(missing: str, folder: Path, tmp_path: Path) -> None:
    (folder / missing).unlink()
    assert refused(folder, tmp_path / "kept").code in ("M002", "M058")


def test_weights_that_are_not_whole_are_refused(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 4}))
    error = refused(folder, tmp_path / "kept")
    assert error.code == "M002"
    assert "encoder.layer.3" in str(error)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_shorter_numbers_are_computed_with_as_float32(dtype: Any, folder: Path, tmp_path: Path) -> None:
    model = AutoModel.from_pretrained(folder).to(dtype)
    model.save_pretrained(folder)
    shorter = OnnxEmbedder(str(folder), NOWHERE, tmp_path / "kept")
    assert "precision=float32" in shorter.fingerprint
    vectors = matrix(shorter)
    model.float().save_pretrained(folder)
    assert vectors == pytest.approx(matrix(OnnxEmbedder(str(folder), NOWHERE, tmp_path / "kept")), abs=1e-6)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_file_is_made_once_and_again_when_it_is_damaged(
    precision: str, folder: Path, tmp_path: Path
) -> None:
    def embedded() -> NDArray[np.float64]:
        return matrix(OnnxEmbedder(str(folder), NOWHERE, tmp_path / "home" / "kept", precision=precision))

    vectors = embedded()
    [kept] = (tmp_path / "home" / "kept").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    made = kept.stat().st_mtime_ns, kept.stat().st_ino
    assert (embedded() == vectors).all()
    assert (kept.stat().st_mtime_ns, kept.stat().st_ino) == made
    whole = kept.read_bytes()
    for damage in (whole[:-1], b"", whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:]):
        kept.write_bytes(damage)
        assert (embedded() == vectors).all()
        assert kept.read_bytes() == whole


def test_where_nothing_can_be_kept_it_works_all_the_same(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file")
    without = OnnxEmbedder(str(folder), NOWHERE, tmp_path / "kept")
    assert matrix(without) == pytest.approx(matrix(OnnxEmbedder(str(folder), NOWHERE, tmp_path / "other")))


def test_other_weights_are_another_file(folder: Path, tmp_path: Path) -> None:
    before = matrix(OnnxEmbedder(str(folder), NOWHERE, tmp_path / "kept"))
    torch.manual_seed(1)
    AutoModel.from_config(tiny("bert")).save_pretrained(folder)
    assert np.abs(matrix(OnnxEmbedder(str(folder), NOWHERE, tmp_path / "kept")) - before).max() > 0.01
    assert len(list((tmp_path / "kept").iterdir())) == 2


@pytest.fixture
def offered(folder: Path) -> Path:
    """A folder of an architecture that is not made here, which brings an ONNX file."""
    config = json.loads((folder / "config.json").read_text())
    graph = bert_graph(config, load_file(folder / "model.safetensors"), scores=False)
    (folder / "onnx").mkdir()
    onnx.save(graph, folder / "onnx" / "model.onnx")
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "unheard-of"}))
    return folder


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_file_that_a_model_brings_is_used(precision: str, offered: Path, tmp_path: Path) -> None:
    embedder = OnnxEmbedder(str(offered), NOWHERE, tmp_path / "kept", precision=precision)
    vectors = matrix(embedder)
    assert " onnx=" in embedder.fingerprint
    assert f"precision={precision}" in embedder.fingerprint
    assert (tmp_path / "kept").exists() == (precision == "int8")
    config = json.loads((offered / "config.json").read_text())
    (offered / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    made = OnnxEmbedder(str(offered), NOWHERE, tmp_path / "kept", precision=precision)
    assert vectors == pytest.approx(matrix(made), abs=1e-6)
    assert made.fingerprint != embedder.fingerprint


def test_a_file_with_weights_elsewhere_is_refused(offered: Path, tmp_path: Path) -> None:
    path = offered / "onnx" / "model.onnx"
    graph = onnx.load(path)
    external_data_helper.convert_model_to_external_data(graph, location="weights", size_threshold=0)
    onnx.save(graph, path)
    error = refused(offered, tmp_path / "kept")
    assert (error.code, error.got) == ("M058", "weights in other files")


@pytest.mark.parametrize("content", [b"not a graph", b""])
def test_a_broken_file_is_refused(content: bytes, offered: Path, tmp_path: Path) -> None:
    (offered / "onnx" / "model.onnx").write_bytes(content)
    assert refused(offered, tmp_path / "kept").code in ("M002", "M058")


def test_a_file_that_computes_something_else_is_refused(offered: Path, tmp_path: Path) -> None:
    path = offered / "onnx" / "model.onnx"
    graph = onnx.load(path)
    graph.graph.output[0].name = graph.graph.node[-1].output[0] = "something"
    onnx.save(graph, path)
    error = refused(offered, tmp_path / "kept")
    assert "something" in str(error)


@pytest.mark.parametrize(("asked", "threads"), [("1", 1), ("3", 3), ("4,2", 4)])
def test_threads_are_those_of_openmp(asked: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert default_threads() == threads


@pytest.mark.parametrize("asked", ["", "0", "many"])
def test_without_openmp_there_is_one_a_processor(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert default_threads() >= 1
