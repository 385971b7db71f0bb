"""A quantised BERT from an ONNX file, as the folder that sentence-transformers loads.

The file holds no pooling: the first token's vector is the text's, and its length becomes 1, as the model card
of bge-small-en-v1.5 says (https://huggingface.co/BAAI/bge-small-en-v1.5).
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import BertModel

from .onnx_converter import Weights, bert_config, converted

_PARTS = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}


class OnnxEmbedderConverter:
    """Undoes the quantisation of weights; vectors differ a little, as activations are no longer rounded."""

    def convert(self, source: Path, into: Path) -> None:
        """See the port; ``source`` holds ``model.onnx`` and the tokenizer's files."""
        width: int = converted(source, into, _encoder).config.hidden_size
        modules = [
            {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for at, (kind, path) in enumerate(_PARTS.items())
        ]
        pooling = {
            "word_embedding_dimension": width,
            "pooling_mode_cls_token": True,
            "pooling_mode_mean_tokens": False,
        }
        _write(into / "modules.json", modules)
        _write(into / _PARTS["Pooling"] / "config.json", pooling)


def _encoder(weights: Weights) -> BertModel:
    model = BertModel(bert_config(weights))
    # No embedder reads the pooler, and the file has none. Drawn, it would be other weights on every machine;
    # left out, it would be drawn, with a warning, whenever the model is loaded.
    tensors = model.state_dict()
    pooler = {name: torch.zeros_like(one) for name, one in tensors.items() if name.startswith("pooler.")}
    model.load_state_dict({**weights, **pooler})
    return model


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
