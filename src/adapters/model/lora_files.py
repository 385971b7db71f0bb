"""Whether a folder of LoRA weights is safe to read and belongs to a model."""

from __future__ import annotations

from pathlib import Path

from ...domain.errors import ModelError
from ...domain.model_spec import LoraSpec, ModelSpec
from ...domain.target_modules import Targets
from .adapter_config import unsafe_keys
from .model_json import read_json
from .safe_folder import check_folder


def start_of(model: ModelSpec, lora: LoraSpec) -> Path | None:
    """The folder of the weights that a training goes on from, once it is known to be safe; None: none.

    Raises:
        ModelError: those of ``check_weights``.
    """
    if lora.continue_from is None:
        return None
    check_weights(model, Path(lora.continue_from))
    return Path(lora.continue_from)


def targets_of(weights: Path) -> Targets:
    """What has LoRA weights in a folder that was found safe."""
    config = read_json(weights / "adapter_config.json")
    return Targets(tuple(config.get("target_modules") or ()), tuple(config.get("target_parameters") or ()))


def check_weights(model: ModelSpec, weights: Path) -> None:
    """Refuses what PEFT would load but should not: pickles, configured imports, weights of another model.

    Raises:
        ModelError: M002 unreadable, M004 of another base model, M008 not plain LoRA; those of
            ``check_folder``.
    """
    path = weights / "adapter_config.json"
    if not path.exists():
        raise ModelError(
            "M002", "LoRA weights cannot be read", where=str(path), got="no such file", fix="name another run"
        )
    tensors = check_folder(weights)
    config = read_json(path)
    if not (weights / "adapter_model.safetensors").is_file():
        raise _not_plain(weights, "no adapter_model.safetensors")
    unsafe = unsafe_keys(config, tensors)
    if unsafe:
        raise _not_plain(path, f"the keys {', '.join(unsafe)}")
    base = config.get("base_model_name_or_path")
    if base != model.name:
        raise ModelError(
            "M004",
            "LoRA weights belong to another base model",
            where=str(path),
            got=base,
            expected=model.name,
            fix="load them on the model they were trained on",
        )


def _not_plain(path: Path, got: str) -> ModelError:
    return ModelError(
        "M008",
        "LoRA weights are not safe to load",
        where=str(path),
        got=got,
        expected="safetensors and an adapter_config.json of plain LoRA",
        fix="save them again with cesello or with PEFT's save_pretrained",
    )
