"""Configurations of models: read with care, and searched for what must not be in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .folder_errors import asks_for_code, foreign, leads_out, pickled, unreadable

PICKLED = (".bin", ".ckpt", ".dill", ".joblib", ".npy", ".npz", ".pickle", ".pkl", ".pt", ".pth")
"""Endings of files that are pickles, or may hold some."""

_LARGEST = 64 << 20
"""Bytes of one configuration or index."""


def read_json(path: Path) -> dict[str, Any]:
    """A configuration or an index.

    Raises:
        ModelError: M002 when it is none.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"more than {_LARGEST} bytes")
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise ValueError("no JSON object")
    except (OSError, ValueError, RecursionError) as cause:
        raise unreadable(path, cause) from cause
    return document


def check_config(path: Path) -> None:
    """Refuses a configuration that asks for code; the rest as ``check_weights_named``.

    Raises:
        ModelError: M002, M040, M042, M043, M044.
    """
    for asked in _values(read_json(path), "auto_map"):
        fix = "if transformers has it by now, remove auto_map and the .py files; else take another model"
        raise asks_for_code(str(path), f"auto_map {_shown(asked)}", fix)
    check_weights_named(path)


def check_weights_named(path: Path) -> None:
    """Refuses a configuration that would have other files read than those that were looked at.

    Raises:
        ModelError: M002, M040, M043, M044.
    """
    config = read_json(path)
    if config.get("configuration_files"):
        got = f"configuration_files {_shown(config['configuration_files'])}"
        raise foreign(path, got, "remove the key, and the other configurations with it")
    for name in _values(config, "transformers_weights"):
        check_weights_name(path, name)


def check_weights_name(path: Path, name: Any) -> None:
    """Refuses the name of a file of weights, in the file ``path``, unless it is safetensors beside it.

    Raises:
        ModelError: M040, M043, M044.
    """
    if not isinstance(name, str) or Path(name).name != name:
        raise leads_out(path, f"weights in {_shown(name)}")
    if Path(name).suffix.lower() in PICKLED:
        raise pickled(path, f"weights in {_shown(name)}")
    if not name.endswith((".safetensors", ".safetensors.index.json")):
        raise foreign(path, f"weights in {_shown(name)}", "remove it, or have it name safetensors")


def _values(document: Any, key: str) -> Iterator[Any]:
    """What stands under a key, at any depth: parts of a model have configurations inside the whole's."""
    waiting = [document]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if node.get(key) is not None:
                yield node[key]
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:100]
