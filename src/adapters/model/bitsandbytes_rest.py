"""What transformers leaves as it is when it loads a model in 4 or 8 bits.

It converts linear layers alone, and of these not the classes derived from them, as Falcon's. The experts of a
mixture are parameters of three dimensions, which are most of such a model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from bitsandbytes.nn.modules import Int8Params, Linear4bit, Linear8bitLt, Params4bit
from bitsandbytes.nn.parametrize import replace_parameter_4bit
from transformers import BitsAndBytesConfig, PreTrainedModel

from .dequantise import is_quantised
from .language_modules import expert_parameters, linear_modules


def quantise_linear_rest(base: PreTrainedModel, config: BitsAndBytesConfig) -> None:
    """Linear layers of derived classes."""
    for name, layer in _left_over(base):
        base.set_submodule(name, _four_bits(layer, config) if config.load_in_4bit else _eight_bits(layer))


def quantise_experts(base: PreTrainedModel, config: BitsAndBytesConfig, keep: Sequence[str]) -> None:
    """Experts in 4 bits; one layer's are made whole at a time where they are computed with."""
    stored: dict[str, Any] = {
        "compress_statistics": config.bnb_4bit_use_double_quant,
        "quant_type": config.bnb_4bit_quant_type,
    }
    for name in expert_parameters(base):
        if not any(name == one or name.endswith(f".{one}") for one in keep):
            module, _, parameter = name.rpartition(".")
            replace_parameter_4bit(base.get_submodule(module), parameter, **stored)


def _left_over(base: PreTrainedModel) -> Iterator[tuple[str, torch.nn.Linear]]:
    for name in linear_modules(base):
        layer = base.get_submodule(name)
        if not isinstance(layer, torch.nn.Linear) or type(layer) is torch.nn.Linear:
            continue
        if not is_quantised(layer.weight):
            yield name, layer


def _four_bits(layer: torch.nn.Linear, config: BitsAndBytesConfig) -> torch.nn.Module:
    stored: dict[str, Any] = {
        "compress_statistics": config.bnb_4bit_use_double_quant,
        "quant_type": config.bnb_4bit_quant_type,
        "quant_storage": config.bnb_4bit_quant_storage,
    }
    new = Linear4bit(
        layer.in_features, layer.out_features, layer.bias is not None,
        compute_dtype=config.bnb_4bit_compute_dtype, device="meta", **stored,
    )  # fmt: skip
    made: Any = Params4bit
    return _filled(new, layer, made(layer.weight.data, requires_grad=False, module=new, **stored))


def _eight_bits(layer: torch.nn.Linear) -> torch.nn.Module:
    new = Linear8bitLt(
        layer.in_features, layer.out_features, layer.bias is not None,
        has_fp16_weights=False, threshold=6.0, device="meta",
    )  # fmt: skip
    made: Any = Int8Params
    return _filled(new, layer, made(layer.weight.data, requires_grad=False, has_fp16_weights=False))


def _filled(new: torch.nn.Module, layer: torch.nn.Linear, weight: Any) -> torch.nn.Module:
    """The new layer with the weight, which is quantised by being moved to where it was, and the old bias."""
    new.weight = weight.to(layer.weight.device)
    new.bias = layer.bias
    return new
