"""Where the ONNX file of a model comes from: made here of its safetensors, or one the model's folder holds.

Made files are kept, because quantising takes seconds; one that is lost or damaged is made again, and where
none can be written the model is held in memory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory, mkstemp
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto, TensorProto
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.quant_utils import add_pre_process_metadata
from safetensors.numpy import load_file

from ...domain.errors import ModelError
from ...domain.ports.hub import ModelFiles
from .model_folder import files_print, folder_file, folder_json, folder_print, model_folder
from .onnx_bert import Weights, bert_graph, is_known

_MADE = 2
"""Raise it when the same weights become another file."""

_LEAVES = re.compile(r"layer\.\d+\.output\.dense\.")
"""The second matrix of a feed-forward part, in the graphs that are made here. An embedder keeps it in
float32: half of its error comes from there, where few numbers are large and the others lose their digits.
A reranker's order does not change by it."""

_LARGEST = 2_000_000_000
"""Bytes an ONNX file can have."""

_OFFERED = "onnx/model.onnx"
_DIGEST = 32


@dataclass
class OnnxFiles:
    """A model for ONNX Runtime. Nothing is read or fetched before it is asked for.

    Attributes:
        name: on the hub, or a folder.
        files: where a name's files are.
        kept: the folder for files made here.
        precision: ``float32``, or ``int8`` for the matrices.
        scores: whether the model reranks.
    """

    name: str
    files: ModelFiles
    kept: Path
    precision: str
    scores: bool = False

    @cached_property
    def folder(self) -> Path:
        """The model's folder."""
        return model_folder(self.name, self.files)

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """The model's configuration.

        Raises:
            ValueError: there is none.
        """
        config = folder_json(self.folder, "config.json")
        if not isinstance(config, dict):
            raise ValueError("there is no config.json")
        return config

    @property
    def print(self) -> str:
        """What stands in a fingerprint for the weights, the tokenizer and the configuration."""
        if self._offered:
            weights = f"onnx={files_print([self._offered], self._offered.parent)[:16]}"
            return folder_print(self.folder, weights)
        return folder_print(self.folder)

    def content(self) -> bytes:
        """The model's file.

        Raises:
            ModelError: M058 it is not made for ONNX Runtime.
            OSError, ValueError, KeyError: a file is missing or broken; see ``explained``.
        """
        if self._offered and self.precision == "float32":
            _plain(self.name, self._offered)
            return self._offered.read_bytes()
        place = self.kept / self._key()
        content = _read(place)
        if content is None:
            content = self._made()
            with suppress(OSError):  # it is only quicker the next time
                _write(place, content)
        return content

    @cached_property
    def _offered(self) -> Path | None:
        """The ONNX file of the model's own folder, where the graph is not one that can be made here."""
        if is_known(self.config) and any(self.folder.glob("*.safetensors")):
            return None
        found = folder_file(self.name, self.files, _OFFERED)
        if found is None:
            kind = self.config.get("model_type")
            raise not_for_onnx(self.name, f"{kind}, and no {_OFFERED}", "BERT or RoBERTa, or an ONNX file")
        return found

    def _key(self) -> str:
        parts = [self.print, repr(sorted(self.config.items())), self.precision, self.scores, _MADE]
        return sha256(repr(parts).encode()).hexdigest()[:32]

    def _made(self) -> bytes:
        if self._offered:
            model = _plain(self.name, self._offered)
        else:
            model = bert_graph(self.config, self._weights(), scores=self.scores)
        if self.precision == "float32":
            return bytes(model.SerializeToString())
        return _quantised(model, None if self.scores else _LEAVES)

    def _weights(self) -> Weights:
        paths = sorted(self.folder.glob("*.safetensors"))
        if sum(path.stat().st_size for path in paths) > _LARGEST:
            raise not_for_onnx(self.name, "more than 2 GB", "weights that fit into one ONNX file")
        return {name: tensor for path in paths for name, tensor in load_file(path).items()}


def _quantised(model: ModelProto, whole: re.Pattern[str] | None) -> bytes:
    """The matrices in whole numbers, with a scale for each column; what meets them is rounded as it comes.

    The numbers have 7 bits, because processors without VNNI add two products in 16: with 8 bits theirs would
    be other vectors.

    Args:
        whole: names of matrices that stay in float32.
    """
    add_pre_process_metadata(model)  # or it advises to do what is of no use here
    with TemporaryDirectory() as folder:
        into = Path(folder) / "model.onnx"
        quantize_dynamic(
            model,
            into,
            op_types_to_quantize=["MatMul", "Attention"],
            per_channel=True,
            reduce_range=True,
            nodes_to_exclude=[one.name for one in model.graph.node if whole and whole.search(one.name)],
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": TensorProto.FLOAT},
        )
        return into.read_bytes()


def _plain(name: str, path: Path) -> ModelProto:
    """A stranger's ONNX file, which may not name other files to read."""
    try:
        model = onnx.load(str(path), load_external_data=False)
    except DecodeError as cause:
        raise not_for_onnx(name, "a broken file", "an ONNX file", path) from cause
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise not_for_onnx(name, "weights in other files", "an ONNX file that holds its weights", path)
    return model


def _read(place: Path) -> bytes | None:
    """What was written there, None where it is missing or damaged."""
    with suppress(OSError):
        kept = place.read_bytes()
        content = kept[_DIGEST:]
        if sha256(content).digest() == kept[:_DIGEST]:
            return content
    return None


def _write(place: Path, content: bytes) -> None:
    """Under its name it is there whole or not at all, and only its owner can read it."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, partial = mkstemp(dir=place.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(sha256(content).digest())
            file.write(content)
        Path(partial).replace(place)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def not_for_onnx(name: str, got: str, expected: str, place: Path | None = None) -> ModelError:
    """The error for a model that ONNX Runtime is not given."""
    return ModelError(
        "M058",
        "a model cannot be run by ONNX Runtime",
        where=str(place or name),
        got=got,
        expected=expected,
        fix="take sentence-transformers for it: the engine sentence_transformers, or cross_encoder",
    )
