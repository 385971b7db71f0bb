"""Where a model's files are, and whether they are safe to read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...domain.errors import ModelError
from ...domain.model_spec import ModelSpec
from ...domain.ports.hub import ModelFiles
from .hub_cache import hub_files

_PICKLED = (".bin", ".ckpt", ".pkl", ".pt", ".pth")
"""Endings of pickles."""


def find_files(model: ModelSpec, files: ModelFiles) -> dict[str, Any]:
    """Where the model's files are, in the loading call's words, once they are known to be safe.

    The kit knows no revision of the hub, so a pinned one is the hub's.

    Raises:
        ModelError: M002 when the weights are pickles.
    """
    place = {"revision": model.revision} if model.revision else dict(files.arguments(model.name))
    names = () if "local_files_only" in place else _names(model)
    if names is None:
        return place | {"local_files_only": True}
    _check_safe(model.name, names)
    return place


def _names(model: ModelSpec) -> tuple[str, ...] | None:
    """Names of the model's files; None when its hub cannot be reached."""
    folder = Path(model.name)
    if folder.is_dir():
        return tuple(path.name for path in folder.iterdir())
    return () if folder.is_absolute() else hub_files(model.name, model.revision)


def _check_safe(name: str, files: Sequence[str]) -> None:
    """Refuses pickles alone; transformers would let a service of the hub convert them."""
    pickled = sorted(file for file in files if file.endswith(_PICKLED))
    if pickled and not any(file.endswith(".safetensors") for file in files):
        raise ModelError(
            "M002",
            "a model's weights are pickles, whose reading can run code",
            where=name,
            got=", ".join(pickled[:3]),
            expected="safetensors",
            fix="take a model or a revision whose weights are safetensors",
        )
