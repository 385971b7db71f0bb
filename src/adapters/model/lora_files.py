"""Whether a folder of LoRA weights is safe to read and belongs to a model."""

from __future__ import annotations

import json
from pathlib import Path

from ...domain.errors import ModelError
from ...domain.model_spec import ModelSpec
from .load_errors import first_line

_RUNS_CODE = ("auto_mapping", "megatron_config", "tokenizer_kwargs")
"""Keys of ``adapter_config.json`` through which PEFT imports or configures more than weights."""


def check_weights(model: ModelSpec, weights: Path) -> None:
    """Refuses what PEFT would load but should not: pickles, configured imports, weights of another model.

    Raises:
        ModelError: M002 unreadable, M004 of another base model, M008 not safe.
    """
    path = weights / "adapter_config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        base = config.get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError) as cause:
        raise ModelError(
            "M002",
            "LoRA weights cannot be read",
            where=str(path),
            got=first_line(cause),
            fix="name another run",
        ) from cause
    unsafe = [key for key in _RUNS_CODE if config.get(key)]
    if unsafe or not (weights / "adapter_model.safetensors").is_file():
        raise ModelError(
            "M008",
            "LoRA weights are not safe to load",
            where=str(weights),
            got=f"the keys {', '.join(unsafe)}" if unsafe else "no adapter_model.safetensors",
            expected="safetensors and a plain adapter_config.json",
            fix="save them again with cesello or with PEFT's save_pretrained",
        )
    if base != model.name:
        raise ModelError(
            "M004",
            "LoRA weights belong to another base model",
            where=str(path),
            got=base,
            expected=model.name,
            fix="load them on the model they were trained on",
        )
