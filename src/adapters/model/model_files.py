"""Where a model's files are, and whether they are safe to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers.utils.hub import cached_file
from transformers.utils.peft_utils import find_adapter_config_file

from ...domain.errors import ModelError
from ...domain.model_spec import ModelSpec
from ...domain.ports.hub import ModelFiles
from .hub_cache import hub_files
from .model_json import PICKLED, check_weights_named
from .safe_folder import check_folder


def find_files(model: ModelSpec, files: ModelFiles) -> dict[str, Any]:
    """Where the model's files are, in the loading call's words, once they are known to be safe.

    Of a name on the hub, and of the kit's, the loading calls fetch JSON and safetensors alone: what else lies
    beside them is left where it is. The kit knows no revision of the hub, so a pinned one is the hub's.

    Raises:
        ModelError: M002 when the weights are pickles; those of ``check_folder`` for a folder.
    """
    place = {"revision": model.revision} if model.revision else dict(files.arguments(model.name))
    folder = Path(model.name)
    if folder.is_dir():
        check_folder(folder)
    elif "local_files_only" not in place and not folder.is_absolute():
        names = hub_files(model.name, model.revision)
        if names is None:
            return place | {"local_files_only": True}
        _check_safe(model.name, names)
    return place


def check_beside(name: str, place: Mapping[str, Any]) -> None:
    """Refuses what the loading call would read beside a model's own weights, wherever the model is.

    Raises:
        ModelError: M043 for LoRA weights, M040 and M044 for weights that its configuration names.
        OSError: its files cannot be found.
    """
    adapter = find_adapter_config_file(name, **place)
    if adapter is not None:
        raise ModelError(
            "M043",
            "LoRA weights lie where a model is asked for",
            where=name,
            got="adapter_config.json",
            expected="a model",
            fix="name their base model in model.name, and them in lora.continue_from",
        )
    config = cached_file(name, "config.json", **place)
    if config is not None:
        check_weights_named(Path(config))


def _check_safe(name: str, files: Sequence[str]) -> None:
    """Refuses pickles alone; transformers would let a service of the hub convert them."""
    pickled = sorted(file for file in files if file.endswith(PICKLED))
    if pickled and not any(file.endswith(".safetensors") for file in files):
        raise ModelError(
            "M002",
            "a model's weights are pickles, whose reading can run code",
            where=name,
            got=", ".join(pickled[:3]),
            expected="safetensors",
            fix="take a model or a revision whose weights are safetensors",
        )
