"""The converters on small models of their own, and on files that are not what they know."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnxruntime import InferenceSession
from onnxruntime.quantization import quantize_dynamic
from safetensors.numpy import load_file
from transformers import BertConfig, BertForSequenceClassification, BertModel

from cesello.adapters.kit.gguf_converter import GgufConverter
from cesello.adapters.kit.onnx_converter import OnnxBertConverter
from cesello.adapters.kit.onnx_embedder_converter import OnnxEmbedderConverter
from cesello.adapters.memory.sentence_layout import SentenceLayout, sentence_layout
from cesello.domain.errors import ModelError
from cesello.domain.ports.kit import ModelConverter

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


@pytest.fixture(scope="module")
def original() -> BertForSequenceClassification:
    """A small BERT, no two of whose parameters are alike."""
    config = BertConfig(
        vocab_size=40,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=96,
        max_position_embeddings=32,
    )
    config.num_labels = 1
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertForSequenceClassification(config)
        model.eval()
        model.set_attn_implementation("eager")
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.fixture(scope="module")
def batch() -> dict[str, torch.Tensor]:
    ids = torch.arange(1, 25).reshape(2, 12)
    kinds = torch.tensor([[0] * 6 + [1] * 6] * 2)
    return dict(zip(INPUTS, (ids, torch.ones_like(ids), kinds), strict=True))


@pytest.fixture(scope="module")
def source(
    original: BertForSequenceClassification,
    batch: dict[str, torch.Tensor],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder with the model exported and quantised, and a tokenizer's file."""
    folder = tmp_path_factory.mktemp("source")
    whole = folder.parent / "whole.onnx"
    with warnings.catch_warnings():
        # The exporter that made the kit's file, which names nodes after modules, is on its way out of torch.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            original,
            tuple(batch.values()),
            str(whole),
            input_names=list(INPUTS),
            output_names=["logits"],
            opset_version=14,
            dynamo=False,
        )
    quantize_dynamic(whole, folder / "model.onnx")
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n")
    return folder


@pytest.fixture(scope="module")
def converted(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("converted")
    OnnxBertConverter().convert(source, folder)
    return folder


def test_every_parameter_comes_back_within_one_step(
    original: BertForSequenceClassification, converted: Path
) -> None:
    wanted = original.state_dict()
    got = BertForSequenceClassification.from_pretrained(converted).state_dict()
    assert set(got) == set(wanted)
    for name, values in wanted.items():
        rounded = name.endswith("weight") and "LayerNorm" not in name
        step = float(values.abs().max()) / 127 if rounded else 0.0
        assert float((got[name] - values).abs().max()) <= step + 1e-6, name


def test_it_scores_as_onnxruntime_does(converted: Path, source: Path, batch: dict[str, torch.Tensor]) -> None:
    session = InferenceSession(source / "model.onnx", providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {name: values.numpy() for name, values in batch.items()})
    with torch.no_grad():
        got = BertForSequenceClassification.from_pretrained(converted).eval()(**batch).logits
    assert got.shape == (2, 1)
    assert float((got - torch.tensor(wanted)).abs().max()) < 0.3


def test_a_cross_encoder_is_told_to_give_the_logit(converted: Path) -> None:
    config: Any = BertConfig.from_pretrained(converted)
    assert config.num_labels == 1
    assert config.num_attention_heads == 2
    assert config.sentence_transformers == {"activation_fn": "torch.nn.modules.linear.Identity"}


def test_the_tokenizer_goes_along_and_the_onnx_file_does_not(converted: Path) -> None:
    assert sorted(path.name for path in converted.iterdir()) == [
        "config.json",
        "model.safetensors",
        "vocab.txt",
    ]


def test_a_converter_writes_no_progress_bar(
    source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    OnnxBertConverter().convert(source, tmp_path)
    assert capfd.readouterr() == ("", "")


def test_an_embedder_has_the_encoder_and_says_how_it_is_read(
    source: Path, converted: Path, tmp_path: Path
) -> None:
    """Of the same weights, without their head; the pooler that transformers wants is nobody's and empty."""
    encoder, into = tmp_path / "encoder", tmp_path / "into"
    encoder.mkdir()
    (encoder / "model.onnx").write_bytes(headless(source / "model.onnx"))
    OnnxEmbedderConverter().convert(encoder, into)
    loaded = BertModel.from_pretrained(into)
    assert set(load_file(into / "model.safetensors")) == set(loaded.state_dict()), "nothing is drawn"
    got, wanted = (
        {name: value for name, value in model.state_dict().items() if not name.startswith("pooler.")}
        for model in (loaded, BertForSequenceClassification.from_pretrained(converted).bert)
    )
    assert set(got) == set(wanted)
    assert all(torch.equal(got[name], wanted[name]) for name in got)
    assert not loaded.state_dict()["pooler.dense.weight"].any()
    assert sentence_layout(into, loaded.config.to_dict()) == SentenceLayout("cls", 32, {})


def headless(path: Path) -> bytes:
    """A classifier's file as one of its encoder alone: other names, and no head."""
    model = onnx.load(str(path))
    head = ("classifier", "/classifier", "bert.pooler", "/bert/pooler")
    tensors = [one for one in model.graph.initializer if not one.name.startswith(head)]
    nodes = [one for one in model.graph.node if not one.name.startswith(head)]
    for tensor in tensors:
        tensor.name = tensor.name.removeprefix("bert.")
    for node in nodes:
        node.name = node.name.removeprefix("/bert")
        node.input[:] = [name.removeprefix("bert.") for name in node.input]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(tensors)
    model.graph.node.extend(nodes)
    return bytes(model.SerializeToString())


def another_graph() -> bytes:
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([node], "g", [value], [result])
    return bytes(onnx.helper.make_model(graph).SerializeToString())


@pytest.mark.parametrize(
    "converter", [OnnxBertConverter(), OnnxEmbedderConverter()], ids=["scores", "vectors"]
)
@pytest.mark.parametrize("content", [b"no onnx", b"\x08", another_graph()], ids=["text", "cut", "another"])
def test_an_onnx_file_of_another_kind_is_refused(
    tmp_path: Path, content: bytes, converter: ModelConverter
) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"M081.*at model\.onnx"):
        converter.convert(tmp_path, tmp_path / "into")
    assert not (tmp_path / "into").exists()


@pytest.mark.parametrize(
    "content", [b"", b"no gguf at all", b"GGUF" + bytes(60)], ids=["empty", "text", "cut"]
)
def test_a_gguf_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.gguf").write_bytes(content)
    with pytest.raises(ModelError, match=r"M080.*at model\.gguf"):
        GgufConverter().convert(tmp_path, tmp_path / "into")
    assert not (tmp_path / "into").exists()
