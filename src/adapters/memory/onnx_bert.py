"""BERT and its kin as an ONNX graph, made of a configuration and safetensors.

No exporter is needed, and the graph is the one that ONNX Runtime computes fastest on a processor. It reads
one text, so nothing is filled up and there is no mask, and with int8 a text's vector cannot depend on others.
Attention and Gelu are ONNX Runtime's own operators; the norm is the plain one, which is faster there than
the one that adds as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

Weights = Mapping[str, NDArray[Any]]

_OWN = "com.microsoft"
_ROBERTA = ("roberta", "xlm-roberta", "camembert")


def is_known(config: Mapping[str, Any]) -> bool:
    """Whether a configuration describes what this module builds."""
    return (
        config.get("model_type") in ("bert", *_ROBERTA)
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder")
    )


def bert_graph(config: Mapping[str, Any], weights: Weights, *, scores: bool) -> ModelProto:
    """The model that reads ``input_ids`` and ``token_type_ids``, both int32 of shape (1, tokens).

    Args:
        config: what ``is_known`` knows.
        weights: by the names that transformers gives them.
        scores: whether it gives ``logits``, shape (1, labels), or else ``last_hidden_state``, shape
            (1, tokens, dimension).

    Raises:
        KeyError: a weight is missing.
    """
    graph = _Graph(config, weights)
    hidden = graph.encoder()
    output, shape = graph.head(hidden) if scores else (hidden, [1, "tokens", config["hidden_size"]])
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT32, [1, "tokens"])
        for name in ("input_ids", "token_type_ids")
    ]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)]
    made = helper.make_graph(graph.nodes, "bert", inputs, outputs, graph.constants)
    versions = [helper.make_opsetid("", 17), helper.make_opsetid(_OWN, 1)]
    return helper.make_model(made, opset_imports=versions, ir_version=8)


class _Graph:
    """Nodes and constants in the making; every method adds some and gives the name of what comes out."""

    def __init__(self, config: Mapping[str, Any], weights: Weights) -> None:
        self._config = config
        self._weights = {_bare(name): tensor for name, tensor in weights.items()}
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def encoder(self) -> str:
        hidden = self._embedded()
        for layer in range(self._config["num_hidden_layers"]):
            hidden = self._layer(f"encoder.layer.{layer}.", hidden)
        return self._node("Identity", [hidden], "last_hidden_state")

    def head(self, hidden: str) -> tuple[str, list[int]]:
        """What makes a score of the first token: a pooler of BERT's, or a dense layer of RoBERTa's."""
        first = self._node("Gather", [hidden, self._constant("first", np.array(0))], "first_token", axis=1)
        inner, outer = "pooler.dense", "classifier"
        if self._config["model_type"] in _ROBERTA:
            inner, outer = "classifier.dense", "classifier.out_proj"
        pooled = self._node("Tanh", [self._linear(first, inner, "pooled")], "activated")
        return self._linear(pooled, outer, "logits"), [1, len(self._weights[f"{outer}.bias"])]

    def _embedded(self) -> str:
        part = "embeddings."
        positions = self._weights[part + "position_embeddings.weight"]
        if self._config["model_type"] in _ROBERTA:  # its positions begin after the one of padding
            positions = positions[self._config["pad_token_id"] + 1 :]
        tables = [
            self._weight(part + "word_embeddings.weight"),
            self._constant("positions", positions),
            self._weight(part + "token_type_embeddings.weight"),
        ]
        inputs = ["input_ids", "token_type_ids", *tables, *self._norm_weights(part + "LayerNorm")]
        outputs = ["embedded", "lengths"]
        options = {"domain": _OWN, "name": "embedded", "epsilon": self._config["layer_norm_eps"]}
        self.nodes.append(helper.make_node("EmbedLayerNormalization", inputs, outputs, **options))
        return "embedded"

    def _layer(self, part: str, hidden: str) -> str:
        attended = self._attention(part + "attention.self.", hidden)
        hidden = self._added(attended, hidden, part + "attention.output.")
        inner = self._dense(hidden, part + "intermediate.dense")
        active = self._node("Gelu", [inner], part + "gelu", domain=_OWN)
        return self._added(active, hidden, part + "output.")

    def _attention(self, part: str, hidden: str) -> str:
        names = [part + name for name in ("query", "key", "value")]
        matrix = np.concatenate([self._weights[f"{name}.weight"].T for name in names], axis=1)
        bias = np.concatenate([self._weights[f"{name}.bias"] for name in names])
        inputs = [hidden, self._constant(part + "weight", matrix), self._constant(part + "bias", bias)]
        heads = self._config["num_attention_heads"]
        return self._node("Attention", inputs, part + "attended", domain=_OWN, num_heads=heads)

    def _added(self, inner: str, hidden: str, part: str) -> str:
        """The norm of a dense layer's output and what went round it."""
        total = self._node("Add", [self._dense(inner, part + "dense"), hidden], part + "sum")
        inputs = [total, *self._norm_weights(part + "LayerNorm")]
        epsilon = self._config["layer_norm_eps"]
        return self._node("LayerNormalization", inputs, part + "norm", axis=-1, epsilon=epsilon)

    def _dense(self, hidden: str, part: str) -> str:
        product = self._node("MatMul", [hidden, self._turned(part + ".weight")], part + ".product")
        return self._node("Add", [product, self._weight(part + ".bias")], part)

    def _linear(self, pooled: str, part: str, out: str) -> str:
        """A dense layer of one row, which stays in float32 whatever the rest is in."""
        return self._node(
            "Gemm", [pooled, self._weight(f"{part}.weight"), self._weight(f"{part}.bias")], out, transB=1
        )

    def _norm_weights(self, part: str) -> list[str]:
        return [self._weight(part + ".weight"), self._weight(part + ".bias")]

    def _turned(self, name: str) -> str:
        return self._constant(name, self._weights[name].T)

    def _weight(self, name: str) -> str:
        return self._constant(name, self._weights[name])

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        if values.dtype.kind in "fV":  # V is bfloat16, a stranger to NumPy that onnx brings along
            values = values.astype(np.float32)
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def _node(self, kind: str, inputs: list[str], output: str, domain: str = "", **options: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, domain=domain, **options))
        return output


def _bare(name: str) -> str:
    """A weight's name without the model's, and old names of norms as today's."""
    name = name.removeprefix("bert.").removeprefix("roberta.")
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
