"""A tiny sentence embedder of random weights, as a folder: BERT of one layer over letters."""

from __future__ import annotations

import json
from pathlib import Path
from string import printable

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

HIDDEN, HEADS, POSITIONS = 16, 4, 64
SPECIAL = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]


def make_tiny_embedder(folder: Path) -> Path:
    """In the layout of sentence-transformers, with all that a fingerprint depends on."""
    (folder / "1_Pooling").mkdir(parents=True)
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    files = {
        "config.json": {
            "model_type": "bert", "hidden_size": HIDDEN, "num_hidden_layers": 1, "num_attention_heads": HEADS,
            "intermediate_size": 2 * HIDDEN, "hidden_act": "gelu", "max_position_embeddings": POSITIONS,
            "layer_norm_eps": 1e-12, "vocab_size": tokenizer.get_vocab_size(), "type_vocab_size": 2,
        },
        "modules.json": [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, (path, kind) in enumerate([("", "Transformer"), ("1_Pooling", "Pooling")])
        ],
        "sentence_bert_config.json": {"max_seq_length": 32},
        "1_Pooling/config.json": {"pooling_mode_mean_tokens": True},
    }  # fmt: skip
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    save_weights(folder, seed=0)
    return folder


def save_weights(folder: Path, seed: int) -> None:
    """Weights by the names that transformers gives them."""
    draw = np.random.default_rng(seed)
    layer = "encoder.layer.0."
    dense = {f"{layer}attention.self.{part}": (HIDDEN, HIDDEN) for part in ("query", "key", "value")}
    dense |= {
        f"{layer}attention.output.dense": (HIDDEN, HIDDEN),
        f"{layer}intermediate.dense": (2 * HIDDEN, HIDDEN),
        f"{layer}output.dense": (HIDDEN, 2 * HIDDEN),
    }
    rows = {"word": _tokenizer().get_vocab_size(), "position": POSITIONS, "token_type": 2}
    shapes = {f"embeddings.{kind}_embeddings.weight": (count, HIDDEN) for kind, count in rows.items()}
    shapes |= {f"{name}.weight": shape for name, shape in dense.items()}
    weights = {name: draw.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    weights |= {f"{name}.bias": np.zeros(shape[0], np.float32) for name, shape in dense.items()}
    for name in ("embeddings", f"{layer}attention.output", f"{layer}output"):
        weights[f"{name}.LayerNorm.weight"] = np.ones(HIDDEN, np.float32)
        weights[f"{name}.LayerNorm.bias"] = np.zeros(HIDDEN, np.float32)
    save_file(weights, folder / "model.safetensors")


def _tokenizer() -> Tokenizer:
    vocabulary = {token: index for index, token in enumerate([*SPECIAL, *printable])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    )
    return made
