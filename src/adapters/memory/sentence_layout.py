"""What the files of a sentence-transformers model say of how its vectors are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from .model_folder import folder_json

_KNOWN = ("Transformer", "Pooling", "Normalize")
_POOLINGS = ("mean", "cls")
_MARKS = 2
"""Positions that RoBERTa's tables hold before the first token's."""


@dataclass(frozen=True, slots=True)
class SentenceLayout:
    """How tokens' vectors become a text's.

    Attributes:
        pooling: ``mean`` of all tokens, or ``cls``, the first one.
        tokens: how many are read at once, the model's own marks included.
        prompts: what the model wants before texts, by their part: ``query``, ``document`` or ``passage``.
    """

    pooling: str
    tokens: int
    prompts: Mapping[str, str]

    def prefix(self, chosen: str | None, parts: Sequence[str]) -> str:
        """What stands before a text of one of these parts, unless something else is chosen."""
        return (
            chosen if chosen is not None else next((p for part in parts if (p := self.prompts.get(part))), "")
        )


def sentence_layout(folder: Path, config: Mapping[str, Any]) -> SentenceLayout | str:
    """The layout, or what it has that is not known here.

    Args:
        folder: the model's.
        config: its ``config.json``.

    Raises:
        ValueError, TypeError, KeyError: a file is broken.
    """
    modules = folder_json(folder, "modules.json") or []
    unknown = [kind for module in modules if (kind := module["type"].rpartition(".")[2]) not in _KNOWN]
    if unknown:
        return f"a part {unknown[0]}"
    reading = folder_json(folder, "sentence_bert_config.json") or {}
    if reading.get("do_lower_case"):
        return "texts in small letters"
    poolings = [
        folder_json(folder, str(PurePosixPath(module["path"], "config.json"))) or {}
        for module in modules
        if module["type"].endswith("Pooling")
    ]
    pooling = _pooling(poolings[0]) if poolings else "mean"
    if pooling not in _POOLINGS or len(poolings) > 1:
        return f"pooling {pooling}"
    named = folder_json(folder, "config_sentence_transformers.json") or {}
    return SentenceLayout(pooling, _tokens(folder, config, reading), named.get("prompts") or {})


def _pooling(config: Mapping[str, Any]) -> str:
    """``pooling_mode``, or the names of the switches that older files have instead."""
    modes = config.get("pooling_mode") or [
        "mean" if name == "pooling_mode_mean_tokens" else "cls" if name == "pooling_mode_cls_token" else name
        for name, on in config.items()
        if name.startswith("pooling_mode_") and on is True
    ]
    return modes if isinstance(modes, str) else "+".join(modes) or "mean"


def _tokens(folder: Path, config: Mapping[str, Any], reading: Mapping[str, Any]) -> int:
    tokenizer = folder_json(folder, "tokenizer_config.json") or {}
    positions = int(config.get("max_position_embeddings") or 512)
    if config.get("model_type") != "bert":
        positions -= _MARKS
    asked = reading.get("max_seq_length") or tokenizer.get("model_max_length") or positions
    return int(min(asked, positions))
