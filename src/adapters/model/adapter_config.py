"""What ``adapter_config.json`` may say, checked before PEFT acts on it.

PEFT 0.21 imports what ``auto_mapping`` and ``megatron_core`` name, repeats layers and initialises weights as
told, and takes some names for regular expressions. So nothing is let through that is not known to be plain:
a key that is not listed here must be empty, as PEFT writes what was not asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from .safetensors_headers import StoredTensor

_Check = Callable[[Any], bool]

_PLAIN_NAME = re.compile(r"\^?[\w.-]+\$?")
"""A module's name that as a regular expression takes no longer to match than to read."""

_BEGINNINGS = re.compile(r"gaussian|olora|orthogonal|pissa|pissa_niter_\d{1,2}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e9


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _PLAIN_NAME.fullmatch(value) is not None


def _is_beginning(value: Any) -> bool:
    return value is True or (isinstance(value, str) and _BEGINNINGS.fullmatch(value) is not None)


def _one_of(*values: Any) -> _Check:
    return lambda value: value in values


def _list_of(check: _Check) -> _Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _one_or_more(check: _Check) -> _Check:
    return lambda value: check(value) or _list_of(check)(value)


def _map_to(check: _Check) -> _Check:
    return lambda value: (
        isinstance(value, dict) and all(map(_is_name, value)) and all(map(check, value.values()))
    )


_is_true = _one_of(True)

_ALLOWED: dict[str, _Check] = {
    "alpha_pattern": _map_to(_is_number),
    "base_model_name_or_path": _is_text,
    "bias": _one_of("none", "all", "lora_only"),
    "ensure_weight_tying": _is_true,
    "exclude_modules": _list_of(_is_text),
    "fan_in_fan_out": _is_true,
    "inference_mode": _is_true,
    "init_lora_weights": _is_beginning,
    "layers_pattern": _one_or_more(_is_name),
    "layers_to_transform": _one_or_more(_is_count),
    "lora_alpha": _is_number,
    "lora_bias": _is_true,
    "lora_dropout": _is_number,
    "megatron_core": _one_of("megatron.core"),  # PEFT's default, which means nothing without megatron_config
    "modules_to_save": _list_of(_is_name),
    "peft_type": _one_of("LORA"),
    "peft_version": _is_text,
    "qalora_group_size": _is_number,
    "r": _is_count,
    "rank_pattern": _map_to(_is_count),
    "revision": _is_text,
    "target_modules": _list_of(_is_text),
    "target_parameters": _list_of(_is_text),
    "task_type": _one_of("CAUSAL_LM"),
    "use_dora": _is_true,
    "use_rslora": _is_true,
}
"""What a key may hold that is not empty. Lists of modules are compared, single texts would be patterns."""

_EMPTY: tuple[Any, ...] = (None, False, [], {}, "")


def unsafe_keys(config: Mapping[str, Any], tensors: Mapping[str, StoredTensor]) -> list[str]:
    """The keys that are not plain, each with the beginning of what it holds.

    Args:
        tensors: of the weights. No rank may be larger than theirs: PEFT makes matrices of that rank first.
    """
    largest = _largest_rank(tensors)
    return [
        f"{key} {json.dumps(value, ensure_ascii=False)[:60]}"
        for key, value in ({"peft_type": None} | dict(config)).items()
        if not _is_plain(key, value) or max(_ranks(key, value), default=0) > largest
    ]


def _is_plain(key: str, value: Any) -> bool:
    if value in _EMPTY and key != "peft_type":
        return True
    return key in _ALLOWED and _ALLOWED[key](value)


def _ranks(key: str, value: Any) -> list[int]:
    """What a plain key says of ranks."""
    if key == "rank_pattern":
        return list((value or {}).values())
    return [value or 0] if key == "r" else []


def _largest_rank(tensors: Mapping[str, StoredTensor]) -> int:
    """Of the matrices A, whose shape is [r, inputs]; those of experts lie in one, one below the other."""
    matrices = [one for name, one in tensors.items() if re.search(r"\.lora_(embedding_)?A\b", name)]
    # A matrix of no columns takes no bytes, and could say any rank.
    return max((one.shape[0] for one in matrices if one.shape and one.end > one.begin), default=0)
