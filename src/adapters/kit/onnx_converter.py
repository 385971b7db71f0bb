"""A BERT that scores pairs of texts, from int8 ONNX to the float32 safetensors folder a CrossEncoder loads.

The file is what ``quantize_dynamic`` of ONNX Runtime makes of an exported ``BertForSequenceClassification``.
Biases and norms keep their names and their float32. A weight is stored as integers q beside a scale s and a
zero point z, and is s (q - z). Embeddings keep their names; a linear layer's weight is called
``onnx::MatMul_1662`` or the like, and its name in BERT is the path of the node that multiplies by it:

    /bert/encoder/layer.0/intermediate/dense/MatMul_quant -> bert.encoder.layer.0.intermediate.dense.weight

It is stored (in, out), torch wants (out, in).
"""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import GraphProto, numpy_helper
from transformers import BertConfig, BertForSequenceClassification, PreTrainedModel

from ...domain.errors import ModelError

_QUANTIZED = "_quantized"
_PARTS = ("bert.", "classifier.", "embeddings.", "encoder.")
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.")
# Of MiniLM's and bge-small's attention heads; the graph tells their width only in the constants of a reshape.
_HEAD_WIDTH = 32

Weights = dict[str, torch.Tensor]
Model = TypeVar("Model", bound=PreTrainedModel)


class OnnxBertConverter:
    """Undoes the quantisation of weights; scores differ a little, as activations are no longer rounded."""

    def convert(self, source: Path, into: Path) -> None:
        """See the port; ``source`` holds ``model.onnx`` and the tokenizer's files."""
        converted(source, into, _cross_encoder)


def converted(source: Path, into: Path, make: Callable[[Weights], Model]) -> Model:
    """Save what is made of the weights of ``model.onnx``, and copy the files beside it.

    Args:
        source: a folder with ``model.onnx`` and the tokenizer's files.
        make: the model of the weights, whose names are those that transformers gives them.

    Raises:
        ModelError: M081 it is another model than the kit's.
    """
    file = source / "model.onnx"
    try:
        model = make(_weights(onnx.load(str(file), load_external_data=False).graph))
        with redirect_stderr(io.StringIO()):  # progress bars
            model.save_pretrained(into)
    except (DecodeError, ValueError, KeyError, TypeError, RuntimeError) as cause:
        raise ModelError(
            "M081",
            "an ONNX file is not the quantised BERT the kit knows",
            where=file.name,
            got=str(cause).splitlines()[0][:200] if str(cause) else type(cause).__name__,
            fix="report it with the versions of transformers and onnx",
        ) from cause
    for path in source.iterdir():
        if path != file:
            shutil.copyfile(path, into / path.name)
    return model


def _cross_encoder(weights: Weights) -> BertForSequenceClassification:
    config = bert_config({name.removeprefix("bert."): tensor for name, tensor in weights.items()})
    config.num_labels = weights["classifier.weight"].shape[0]
    # A CrossEncoder gives the logit itself, as the model it was converted from does, not its sigmoid.
    config.sentence_transformers = {"activation_fn": "torch.nn.modules.linear.Identity"}
    model = BertForSequenceClassification(config)
    model.load_state_dict(weights)
    return model


def _weights(graph: GraphProto) -> Weights:
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    weights = {
        name: torch.tensor(values)
        for name, values in tensors.items()
        if name.startswith(_PARTS) and name.endswith((".weight", ".bias"))
    }
    for node in graph.node:
        if node.op_type == "MatMulInteger":
            path = node.name.strip("/").rpartition("/")[0].replace("/", ".")
            weights[f"{path}.weight"] = _dequantized(tensors, node.input[1]).T.contiguous()
        elif node.op_type == "Gather" and node.input[0].endswith(_QUANTIZED):
            weights[node.input[0].removesuffix(_QUANTIZED)] = _dequantized(tensors, node.input[0])
    return weights


def _dequantized(tensors: Mapping[str, np.ndarray], name: str) -> torch.Tensor:
    stem = name.removesuffix(_QUANTIZED)
    zero = tensors[f"{stem}_zero_point"].astype(np.float32)
    scale = tensors[f"{stem}_scale"].astype(np.float32)
    return torch.tensor((tensors[name].astype(np.float32) - zero) * scale)


def bert_config(weights: Weights) -> BertConfig:
    """The sizes are those of the weights, whose names are a ``BertModel``'s."""
    words, width = weights["embeddings.word_embeddings.weight"].shape
    layers = {int(found[1]) for name in weights if (found := _LAYER.match(name))}
    return BertConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=len(layers),
        num_attention_heads=width // _HEAD_WIDTH,
        intermediate_size=weights["encoder.layer.0.intermediate.dense.weight"].shape[0],
        max_position_embeddings=weights["embeddings.position_embeddings.weight"].shape[0],
        type_vocab_size=weights["embeddings.token_type_embeddings.weight"].shape[0],
    )
